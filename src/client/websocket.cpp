// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/websocket.h"

#include <poll.h>

#include <utility>

#include "base/format.h"
#include "client/event_line.h"
#include "ws/frame_writer.h"
#include "ws/handshake.h"

namespace spillway::client {
namespace {

using base::concat;

std::unexpected<Refused> refuse(int status, std::string reason) {
    return std::unexpected(Refused{.status = status, .stopped = false, .reason = std::move(reason)});
}

/// For people: what the server says, or at least the status.
std::string sentence(const http::ResponseParser& answer) {
    std::string text = concat("HTTP ", answer.status());
    if (!answer.body().empty()) {
        text += ": ";
        append_harmless(
            text, answer.body().substr(0, std::min<std::size_t>(answer.body().find_last_not_of("\r\n") + 1, 500)));
    }
    return text;
}

}  // namespace

std::expected<void, Refused> ask(Stream& stream, const std::string& request, Surroundings surroundings,
                                 http::ResponseParser& answer, std::string& rest) {
    const auto& [clock, random, stop] = surroundings;
    const base::Instant deadline = clock.now() + kAnswerTimeout;
    std::size_t sent = 0;
    std::string in;
    while (true) {
        if (!stream.send(request, sent)) return refuse(0, "the connection broke");
        const auto wanted = static_cast<short>(sent < request.size() ? POLLIN | POLLOUT : POLLIN);
        switch (stream.wait(wanted, deadline, clock, stop)) {
            case Stream::Wait::ready: break;
            case Stream::Wait::late: return refuse(0, concat("no answer within ", kAnswerTimeout.count(), " s"));
            case Stream::Wait::stopped:
                return std::unexpected(Refused{.status = 0, .stopped = true, .reason = "stopped"});
        }
        in.clear();
        const Stream::Received received = stream.receive(in);
        if (received == Stream::Received::nothing) continue;
        std::size_t consumed = 0;
        const http::Outcome outcome = received == Stream::Received::some ? answer.feed(in, consumed) : answer.finish();
        if (outcome == http::Outcome::error)
            return refuse(0, received == Stream::Received::some ? "the answer is not HTTP, or too long"
                                                                : "the connection was closed without an answer");
        if (outcome != http::Outcome::complete) continue;
        rest = in.substr(consumed);
        if (answer.status() == 101 || answer.status() / 100 == 2) return {};
        return refuse(answer.status(), sentence(answer));
    }
}

std::expected<std::unique_ptr<WebSocket>, Refused> WebSocket::open(const Endpoint& endpoint, std::string_view target,
                                                                   Surroundings surroundings) {
    auto stream = Stream::connect(endpoint, surroundings.clock, surroundings.stop);
    if (!stream)
        return std::unexpected(
            Refused{.status = 0, .stopped = surroundings.stop.raised(), .reason = std::move(stream).error()});
    const std::string key = ws::new_key(surroundings.random);
    http::ResponseParser answer({.body_bytes = kAnswerBytesMax});
    std::string early;
    if (auto asked = ask(*stream, upgrade_request(endpoint, target, key), surroundings, answer, early); !asked)
        return std::unexpected(std::move(asked).error());
    if (answer.status() != 101 || answer.header("sec-websocket-accept") != ws::accept_key(key))
        return refuse(answer.status(), "the answer is not a WebSocket server's");
    return std::unique_ptr<WebSocket>(new WebSocket(*std::move(stream), surroundings.random, std::move(early)));
}

void WebSocket::send(ws::Opcode opcode, std::string_view payload) {
    ws::append_client_frame(out_, opcode, payload, static_cast<std::uint32_t>(random_.next()));
}

void WebSocket::send_close(std::uint16_t code) {
    std::string payload;
    if (code != 0) {
        payload += static_cast<char>(code >> 8);
        payload += static_cast<char>(code & 0xFF);
    }
    send(ws::Opcode::close, payload);
}

bool WebSocket::flush() {
    const bool whole = stream_.send(out_, out_begin_);
    if (out_begin_ == out_.size()) {
        out_.clear();
        out_begin_ = 0;
    } else if (out_begin_ > out_.size() / 2) {
        out_.erase(0, out_begin_);
        out_begin_ = 0;
    }
    return whole;
}

WebSocket::State WebSocket::receive(ws::Sink& sink) {
    const Stream::Received received = stream_.receive(in_);  // behind what came with the upgrade
    if (!in_.empty()) {
        const auto fed = sessions_.feed(inbound_, std::as_bytes(std::span(in_)),
                                        {.message_bytes = kMessageBytesMax, .fragments = kEchoFragmentsMax}, sink);
        in_.clear();
        if (fed.state == ws::SessionState::closed || fed.state == ws::SessionState::failed) {
            send_close(fed.close_code);
            static_cast<void>(flush());
            return State::ended;
        }
    }
    return received == Stream::Received::ended ? State::ended : State::open;
}

}  // namespace spillway::client
