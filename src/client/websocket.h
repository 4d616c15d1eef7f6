// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// RFC 6455 from the client's side, over the frames and sessions of the ws floor. Buffers are bounded by their callers: what
// unsent() says is not to grow, and a message of the server's by kMessageBytesMax.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include <spillway/limits.h>

#include "client/stream.h"
#include "crypto/random.h"
#include "http/response_parser.h"
#include "ws/session.h"

namespace spillway::client {

/// Over it the connection is closed with 1009: more than any event may have.
inline constexpr std::size_t kMessageBytesMax = 16 * kMiB;
/// Of an answer to a request.
inline constexpr std::size_t kAnswerBytesMax = kMiB;

/// What a companion has from its process. References live as long as it.
struct Surroundings {
    const base::Clock& clock;
    crypto::Random& random;
    const StopSignal& stop;
};

/// Why there is no answer, or a wrong one.
struct Refused {
    int status = 0;  // of HTTP; 0 = the server was not reached
    bool stopped = false;
    std::string reason;
};

/// Sends `request` and waits for the answer. `rest`: what came behind it.
[[nodiscard]] std::expected<void, Refused> ask(Stream& stream, const std::string& request, Surroundings surroundings,
                                               http::ResponseParser& answer, std::string& rest);

class WebSocket {
public:
    /// Connects and upgrades; kConnectTimeout and kAnswerTimeout bound it.
    [[nodiscard]] static std::expected<std::unique_ptr<WebSocket>, Refused> open(const Endpoint& endpoint,
                                                                                 std::string_view target,
                                                                                 Surroundings surroundings);
    WebSocket(const WebSocket&) = delete;
    WebSocket& operator=(const WebSocket&) = delete;

    [[nodiscard]] int fd() const { return stream_.fd(); }

    /// Queues one frame; flush() sends.
    void send(ws::Opcode opcode, std::string_view payload);
    void send_close(std::uint16_t code);
    [[nodiscard]] std::size_t unsent() const { return out_.size() - out_begin_; }
    /// False: the connection is broken.
    [[nodiscard]] bool flush();

    enum class State : std::uint8_t { open, ended };
    /// Reads what is there, once, and tells the sink. A close frame of the peer's, or one of ours for its faults, is sent on.
    State receive(ws::Sink& sink);

private:
    WebSocket(Stream stream, crypto::Random& random, std::string early)
        : stream_(std::move(stream)), random_(random), in_(std::move(early)) {}

    Stream stream_;
    crypto::Random& random_;
    std::string in_;
    std::string out_;
    std::size_t out_begin_ = 0;  // sent already
    ws::SessionPool sessions_{1, ws::Peer::server};
    ws::Inbound inbound_;  // after its pool
};

}  // namespace spillway::client
