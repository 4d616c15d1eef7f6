// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One process full of subscribers: opens as many as the board asks for, answers pings, and checks of every message
// that it is the next one of its subscriber. One thread, one epoll.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "board.h"
#include "options.h"
#include "websocket.h"

namespace spillway::load {

class Subscribers {
public:
    /// Number `process` of options.processes: it holds the clients `process`, `process + processes`, and so on.
    Subscribers(const Options& options, Board& board, std::uint32_t process);
    Subscribers(const Subscribers&) = delete;
    Subscribers& operator=(const Subscribers&) = delete;
    ~Subscribers();

    /// Until the board says stop.
    void run();

private:
    enum class State : std::uint8_t { closed, connecting, upgrading, greeted, ready };

    struct Connection {
        int fd = -1;
        State state = State::closed;
        std::uint32_t index = 0;
        std::uint32_t next = 0;  // sequence number that must come next
        std::string partial;     // bytes of a frame that has not arrived whole
    };

    void adjust();
    void open_one(Connection& connection, std::uint32_t index);
    void close_one(Connection& connection);
    void fail(Connection& connection, int reason);
    void ready(Connection& connection);
    void readable(Connection& connection);
    bool consume(Connection& connection, std::string_view& bytes);
    void message(Connection& connection, const Frame& frame);
    void event(Connection& connection, std::string_view text);
    void say(Connection& connection, std::string_view bytes);
    void post_arrivals();

    const Options& options_;
    Board& board_;
    ProcessCounts& counts_;
    const std::uint32_t process_;
    int epoll_ = -1;
    std::uint32_t open_ = 0;
    std::uint32_t unready_ = 0;
    std::vector<std::unique_ptr<Connection>> connections_;  // the first open_ of them are open
    std::vector<char> buffer_;
    std::int64_t now_ = 0;
    std::vector<std::uint32_t> arrived_;  // per round, not yet posted to the board
    std::uint32_t arrived_from_ = 0;
    std::uint32_t arrived_to_ = 0;
    std::uint64_t deliveries_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace spillway::load
