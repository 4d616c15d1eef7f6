// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The backend, of one stream. How a message is published is the one thing in which servers differ.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "options.h"

namespace spillway::load {

class Publisher {
public:
    Publisher() = default;
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;
    virtual ~Publisher() = default;

    /// What send() is to be given for one broadcast: everything that can be done before its clock starts.
    [[nodiscard]] virtual std::string prepare(std::uint32_t round) const = 0;

    /// Hands a broadcast to the kernel; blocks while it takes nothing.
    virtual void send(const std::string& prepared) = 0;

    /// Reads answers until at most `most` are outstanding; false when that did not happen in time.
    virtual bool settle(std::uint32_t most, std::int64_t until_ns) = 0;

    [[nodiscard]] std::uint32_t refused() const { return refused_; }
    [[nodiscard]] const std::string& refusal() const { return refusal_; }  // the last one

protected:
    void refuse(std::string what) {
        ++refused_;
        refusal_ = std::move(what);
    }

private:
    std::uint32_t refused_ = 0;
    std::string refusal_;
};

/// Connects as the options say; ends the process with a message when that fails.
[[nodiscard]] std::unique_ptr<Publisher> connect_publisher(const Options& options, Stream stream);
[[nodiscard]] std::unique_ptr<Publisher> connect_http_publisher(const Options& options, Stream stream);
[[nodiscard]] std::unique_ptr<Publisher> connect_socket_publisher(const Options& options, Stream stream);

/// The data of a message: its number in ten digits, filled up to `size` bytes.
[[nodiscard]] std::string data_of(std::uint32_t round, std::uint32_t size);

/// An event of Pusher's HTTP API for the channels [first, end), or for the one channel if there is only one.
[[nodiscard]] std::string event_body(std::uint32_t first, std::uint32_t end, const std::string& data);

/// `method` and `path` with the query that signs them; `body` empty: it has none.
[[nodiscard]] std::string signed_target(const Options& options, const std::string& method, const std::string& path,
                                        const std::string& body);

/// Channels that one event may name: the API's limit, or one.
[[nodiscard]] std::uint32_t channels_per_event(const Options& options);

}  // namespace spillway::load
