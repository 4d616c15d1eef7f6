// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The backend: signed events over one kept-alive HTTP connection, pipelined when the schedule is ahead of the answers.
#pragma once

#include <cstdint>
#include <string>

#include "options.h"

namespace spillway::load {

class Publisher {
public:
    /// Connects; ends the process with a message when that fails.
    explicit Publisher(const Options& options);
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;
    ~Publisher();

    /// The requests of one broadcast: each channel once, a hundred channels a request, `round` as sequence number.
    [[nodiscard]] std::string broadcast(std::uint32_t round) const;

    /// Hands requests to the kernel; blocks while it takes nothing.
    void send(const std::string& requests);

    /// Reads answers until at most `most` are outstanding; false when that did not happen in time.
    bool settle(std::uint32_t most, std::int64_t until_ns);

    [[nodiscard]] std::uint32_t refused() const { return refused_; }
    [[nodiscard]] const std::string& refusal() const { return refusal_; }  // the last answer that was not 200

private:
    [[nodiscard]] std::string request(const std::string& body) const;
    void take_answers();

    const Options& options_;
    int fd_ = -1;
    std::uint32_t requests_per_broadcast_;
    std::uint32_t outstanding_ = 0;
    std::uint32_t refused_ = 0;
    std::string refusal_;
    std::string input_;
};

}  // namespace spillway::load
