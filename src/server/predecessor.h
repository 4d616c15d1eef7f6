// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The side of taking over that hands its listening sockets to a successor: one at a time, of the same user or root only, and
// never waited for longer than its deadlines. Until the successor is ready, nothing changes here; if it goes or takes too long, it is
// forgotten.
//
// Thread: control. Nothing blocks.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "io/descriptor.h"
#include "io/descriptor_passing.h"
#include "server/take_over_message.h"

namespace spillway::server {

/// Where the server that listens at this address (io::Listeners::address) is asked for its sockets.
[[nodiscard]] std::string successor_name(std::string_view address);

class Predecessor {
public:
    /// To say what it is here for, and to be ready once it has its sockets.
    static constexpr std::chrono::seconds kAskWithin{5};
    static constexpr std::chrono::seconds kReadyWithin{30};

    Predecessor(std::string name, std::string version);

    /// Before step(). `fd` is lent: it stays open until drain() or the successor's word.
    void offer(SocketUse use, int fd) { offered_.emplace_back(use, fd); }
    void offer_name(std::string local_path) { local_path_ = std::move(local_path); }
    /// The socket on which successors ask, from a predecessor of ours. Without it one is opened.
    void inherit(io::Descriptor listener) { listener_ = std::move(listener); }

    /// Begins to listen, as the user that this process is by now; where the name is taken step() tries again.
    void open(base::Instant now);

    /// Who took over, and which of the sockets.
    struct Heir {
        std::uint64_t pid = 0;
        TakeOverMessage message;
    };
    /// Looks at what came; to be called when readable() is, and at due(). True once: there is an heir.
    [[nodiscard]] bool step(base::Instant now);
    [[nodiscard]] const Heir& heir() const { return heir_; }

    /// What to wait for: -1 where there is nothing.
    [[nodiscard]] std::array<int, 2> readable() const { return {caller_ ? -1 : listener_.get(), caller_.get()}; }
    [[nodiscard]] base::Instant due() const { return due_; }

    /// The server ends. A successor that has the sockets already is the heir: true. Who asks from now on is told so, and hears
    /// by the end of its connection when everything is free.
    [[nodiscard]] bool drain();

private:
    enum class State : std::uint8_t { open, asked, offered, draining, over };
    void take_caller(base::Instant now);
    bool hear_caller(base::Instant now);
    bool hear(const TakeOverMessage& message, base::Instant now);
    void send_offer(base::Instant now);
    void refuse(std::string_view reason);
    void inherited();
    void forget(std::string_view reason);
    [[nodiscard]] TakeOverMessage message(TakeOverStep step) const;

    const std::string name_;
    const std::string version_;
    std::vector<std::pair<SocketUse, int>> offered_;
    std::string local_path_;
    io::Descriptor listener_;
    io::Descriptor caller_;  // while State::asked or State::offered
    std::uint64_t caller_pid_ = 0;
    std::vector<io::Descriptor> waiting_;  // while State::draining
    State state_ = State::open;
    base::Instant due_{};
    bool told_ = false;  // that there can be no successor
    base::log::Throttle strangers_{std::chrono::seconds{10}};
    Heir heir_;
};

}  // namespace spillway::server
