// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One connection of a backend: blocking where it writes, never where it reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "options.h"

namespace spillway::load {

class Wire {
public:
    /// Connects; ends the process with a message when that fails.
    explicit Wire(const Options& options);
    Wire(Wire&& other) noexcept;
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;
    Wire& operator=(Wire&&) = delete;
    ~Wire();

    /// Becomes a WebSocket at this path; ends the process with a message when that is refused.
    void upgrade(const Options& options, const std::string& path);

    /// Blocks while the kernel takes nothing.
    void send(std::string_view bytes);

    /// Adds to input() what has arrived; an end of the connection ends the process with a message.
    void receive();

    /// Until something is readable or the time is up: false.
    bool wait(std::int64_t until_ns);

    /// What has arrived and not been used; the owner erases what it has used.
    [[nodiscard]] std::string& input() { return input_; }

private:
    int fd_ = -1;
    std::string input_;
};

}  // namespace spillway::load
