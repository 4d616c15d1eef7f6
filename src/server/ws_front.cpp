// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/ws_front.h"

#include "base/bytes.h"
#include "server/core.h"
#include "ws/close_code.h"
#include "ws/frame_writer.h"

namespace spillway::server {
namespace {

/// An echo client that does not read gets nothing more echoed until it does.
constexpr std::size_t kEchoUnreadMax = 1 * kMiB;

}  // namespace

/// Events of one feed() of one client.
class WsFront::Events final : public ws::Sink {
public:
    Events(WsFront& front, Client& client) : front_(front), client_(client) {}

    ws::Flow on_message(ws::Opcode opcode, std::span<const std::byte> payload) override {
        if (front_.within_message_rate(client_)) front_.message(client_, opcode, payload);
        return flow();
    }
    ws::Flow on_ping(std::span<const std::byte> payload) override {
        if (!front_.within_message_rate(client_)) return flow();
        std::string frame;
        ws::append_pong(frame, payload);
        front_.core_.sender.pong(client_, std::move(frame));
        return flow();
    }
    ws::Flow on_pong(std::span<const std::byte> /*payload*/) override { return flow(); }
    void on_close(std::optional<std::uint16_t> /*code*/, std::string_view /*reason*/) override {}

private:
    /// What the next message may cause must have room in the mesh, and an echo in its own outflow; what cannot be looked at
    /// now waits.
    [[nodiscard]] ws::Flow flow() const {
        const bool choked =
            client_.kind == ClientKind::echo && client_.out != nullptr && client_.out->bytes() > kEchoUnreadMax;
        const bool put_back = client_.held_input != nullptr;
        return client_.state != ClientState::open || choked || put_back || front_.core_.port.tight() ? ws::Flow::pause
                                                                                                     : ws::Flow::go_on;
    }

    WsFront& front_;
    Client& client_;
};

bool WsFront::within_message_rate(Client& client) {
    const std::uint64_t most = core_.config.client_messages_per_second;
    if (most == 0 || !only_listens(client.kind)) return true;
    if (client.messages_in.take(base::milliseconds_of(core_.now), most)) return true;
    core_.life.send_off(client, Refusal::message_rate, "Too many messages in too short a time");
    return false;
}

void WsFront::feed(Client& client, std::span<const std::byte> bytes) {
    if (core_.port.tight()) {
        core_.life.hold_input(client, bytes);
        core_.life.pause(client);
        return;
    }
    const bool echo = client.kind == ClientKind::echo;
    // A publisher's message is a body of the HTTP API, and may be as large.
    const std::uint64_t bytes_max =
        client.kind == ClientKind::publisher ? core_.config.max_http_body : core_.config.max_message;
    const ws::MessageLimits limits{bytes_max, echo ? kEchoFragmentsMax : kFragmentsMax};
    Events events(*this, client);
    const ws::FeedResult result = pool_.feed(client.inbound, bytes, limits, events);
    if (client.state != ClientState::open) return;
    switch (result.state) {
        case ws::SessionState::ok: break;
        case ws::SessionState::paused:
            core_.life.hold_input(client, bytes.subspan(result.consumed));
            if (core_.port.tight() || !echo)
                core_.life.pause(client);  // else it is choked, and goes on when it is flushed
            break;
        case ws::SessionState::closed:
            core_.life.close(client, {result.close_code, CloseReason::peer_closed, {}, false});
            break;
        case ws::SessionState::failed: {
            const bool big = result.close_code == ws::close_code::kTooBig;
            core_.life.close(client,
                             {result.close_code, big ? CloseReason::message_too_big : CloseReason::protocol_error,
                              result.reason, false});
            break;
        }
    }
}

void WsFront::message(Client& client, ws::Opcode opcode, std::span<const std::byte> payload) {
    switch (client.kind) {
        case ClientKind::pusher:
            if (opcode == ws::Opcode::text) {
                core_.pusher.message(client, base::as_text(payload));
            } else {
                core_.life.close(client, {ws::close_code::kUnsupported, CloseReason::protocol_error,
                                          "binary messages are not part of the protocol", false});
            }
            break;
        case ClientKind::publisher:
            if (opcode == ws::Opcode::text) {
                if (!core_.publishing.message(client, base::as_text(payload))) put_back(client, payload);
            } else {
                core_.life.close(client, {ws::close_code::kUnsupported, CloseReason::protocol_error,
                                          "events are text messages", false});
            }
            break;
        case ClientKind::echo: {
            std::string frame;
            ws::append_frame(frame, opcode, payload);
            core_.sender.stream(client, frame);
            break;
        }
        case ClientKind::feed:  // feeds and viewers only listen; what they say is nobody's
        case ClientKind::dashboard:
        case ClientKind::http:
        case ClientKind::ops: break;
    }
}

void WsFront::put_back(Client& client, std::span<const std::byte> payload) {
    // As it came, under a mask of zeros: 0x80 marks the length as masked (RFC 6455 section 5.2).
    std::string frame;
    ws::append_text(frame, base::as_text(payload));
    const std::size_t header = ws::header_size(payload.size());
    frame[1] = static_cast<char>(static_cast<unsigned char>(frame[1]) | 0x80U);
    frame.insert(header, 4, '\0');
    core_.life.hold_input(client, base::as_bytes(frame));
}

void WsFront::feed_ready(Client& client) {
    core_.http.answer_upgrade(client);
    core_.life.go_on(client);
}

}  // namespace spillway::server
