// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The side of taking over that asks a running server for its listening sockets, so that no connection is refused and none
// that waits in a backlog is reset. Nothing is accepted before the predecessor has given its word to drain: until then a
// failure here leaves it as it was.
//
// Thread: main, before there are others. Blocks, within its deadlines.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/descriptor.h"
#include "io/descriptor_passing.h"
#include "server/take_over_message.h"

namespace spillway::server {

class Successor {
public:
    /// How long is waited for what.
    struct Patience {
        /// A predecessor answers at once, unless it is busy with another successor.
        std::chrono::milliseconds offer = std::chrono::seconds{40};
        /// For its word when we are ready.
        std::chrono::milliseconds go = std::chrono::seconds{10};
        /// For a server that drains already to end.
        std::chrono::milliseconds end = std::chrono::seconds{90};
    };

    /// Asks whoever is called `name` (successor_name()), if it runs as `user` or as we do. No predecessor is no failure:
    /// inherits() is false then.
    [[nodiscard]] static base::Result<Successor> ask(std::string_view name, uid_t user, std::string version,
                                                     const Patience& patience);

    [[nodiscard]] bool inherits() const { return !main.empty(); }

    // What was handed over; what is not taken out of here is left to the predecessor.
    std::vector<io::Descriptor> main;
    io::Descriptor metrics;
    io::Descriptor local;
    std::string local_path;    // empty: the name is not the predecessor's to give
    io::Descriptor successor;  // where the next successor asks

    /// All is made: the predecessor lets go of what is `taken`. The failure is why it does not.
    [[nodiscard]] base::Result<void> ready(std::span<const SocketUse> taken);

private:
    Successor(std::string version, const Patience& patience) : version_(std::move(version)), patience_(patience) {}
    [[nodiscard]] base::Result<TakeOverMessage> hear(std::chrono::milliseconds within, io::Record& record);
    [[nodiscard]] base::Result<void> take(TakeOverMessage offer, io::Record record);

    std::string version_;
    Patience patience_;
    io::Descriptor predecessor_;
};

}  // namespace spillway::server
