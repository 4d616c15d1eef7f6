// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One process full of subscribers: opens as many as the board asks for, answers pings, and checks of every message
// that it is the next one of its subscriber. One thread, one epoll.
#pragma once

#include <array>
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
    /// Number `process` of options.processes: it holds the clients `process`, `process + processes`, and so on. One more
    /// holds those of the small channel aside, so that they do not wait in line behind the others' deliveries.
    Subscribers(const Options& options, Board& board, std::uint32_t process);
    Subscribers(const Subscribers&) = delete;
    Subscribers& operator=(const Subscribers&) = delete;
    ~Subscribers();

    /// Until the board says stop.
    void run();

private:
    enum class State : std::uint8_t { closed, connecting, upgrading, greeted, ready };
    enum class Kind : std::uint8_t { regular, slow, visitor };

    /// The sequence number that must come next on one of its channels.
    struct Expected {
        std::uint32_t channel = 0;
        std::uint32_t next = 0;
        bool from_any = false;  // the first message may have any number
    };

    struct Connection {
        int fd = -1;
        State state = State::closed;
        Kind kind = Kind::regular;
        Stream stream = kMain;
        std::uint8_t latency_class = 0;
        std::uint32_t index = 0;
        std::uint32_t subscribed = 0;   // channels that answered
        Expected expected;              // of its only channel, or of the first
        std::vector<Expected> further;  // of the others
        std::string partial;            // bytes of a frame that has not arrived whole
    };

    /// Deliveries per round, not yet posted to the board.
    struct Arrivals {
        std::vector<std::uint32_t> counts;
        std::uint32_t from = 0;
        std::uint32_t to = 0;
    };

    void adjust();
    void visit();
    void thaw();
    void open_one(Connection& connection, std::uint32_t index, Kind kind);
    void close_one(Connection& connection);
    void fail(Connection& connection, int reason);
    void ready(Connection& connection);
    void watch(Connection& connection, std::uint32_t events);
    void readable(Connection& connection);
    bool consume(Connection& connection, std::string_view& bytes);
    void message(Connection& connection, const Frame& frame);
    void event(Connection& connection, std::string_view text);
    void subscribe(Connection& connection);
    Expected* expected_of(Connection& connection, std::string_view message);
    void delivered(Connection& connection, Expected& expected, std::uint32_t number);
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
    std::vector<std::unique_ptr<Connection>> visitors_;     // replaced in turn
    std::uint64_t visited_ = 0;
    std::int64_t visits_from_ns_ = 0;
    bool thawed_ = false;
    std::vector<char> buffer_;
    std::int64_t now_ = 0;
    std::array<Arrivals, kStreams> arrivals_;
    std::uint64_t deliveries_ = 0;
    std::uint64_t slow_deliveries_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace spillway::load
