// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/lifecycle.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "protocol/codec.h"
#include "protocol/errors.h"
#include "server/core.h"
#include "server/liveness.h"
#include "ws/close_code.h"
#include "ws/frame_writer.h"

namespace spillway::server {
namespace {

using std::chrono::milliseconds;

/// How long a close frame may take to leave, and how long the peer's end of input is waited for.
constexpr milliseconds kLinger{2000};
/// The same for the close frame of a client whose backlog is cut.
constexpr milliseconds kLingerCut{250};
/// Connections that are refused before they said anything and have not read it yet, per core; others are just cut.
constexpr std::size_t kTurnedAwayMax = 256;
/// Slots that one sweep looks at: a hundredth, so that with ten sweeps a second nobody is overlooked for more than ten.
constexpr std::uint32_t kSweepMin = 16;
constexpr std::uint32_t kSweepShare = 100;
/// Input kept for a client that cannot be served now; with more than this its receive is cancelled.
constexpr std::size_t kHeldInputMax = 64 * kKiB;
/// Receives armed per turn of those that ended because much came: 512 KiB where each ends at kReceiveLimit.
constexpr std::size_t kArmsOfMany = 16;
/// Free buffers per receive that is armed: what each may take at once. More receives would find none, and be armed again and again.
constexpr std::size_t kBuffersPerArm = io::kReceiveLimit / kRecvBufferBytes;

}  // namespace

// ---- the beginning

void Lifecycle::admit(int fd, ClientKind kind) {
    const auto slot = core_.clients.acquire();
    if (!slot) {
        core_.stats.count_refusal(Refusal::descriptors);
        core_.ring.refuse(fd, kNoRoom);
        if (kind != ClientKind::ops) core_.quotas.connections.leave();
        return;
    }
    Client& client = core_.clients[*slot];
    client.id = ClientId{*slot, core_.clients.generation(*slot), core_.id}.packed();
    client.fd = fd;
    client.kind = kind;
    client.main_port = kind != ClientKind::ops;
    client.opened = client.last_received = core_.now;
    client.awaits_proxy_header = client.main_port && core_.config.proxy_protocol && core_.gate.from_proxy(client);
    core_.ring.configure(fd, core_.config.socket_send_buffer);
    core_.stats.connections.add();
    core_.stats.clients[static_cast<std::size_t>(client.kind)].add();
    update_receive(client);
    watch(client);
    if (kind != ClientKind::ops && !take_seat(client, Seat::handshake)) turn_away(client, Refusal::max_handshakes);
}

// ---- seats

bool Lifecycle::take_seat(Client& client, Seat seat) {
    Quotas& quotas = core_.quotas;
    const Config& config = core_.config;
    const bool taken = seat == Seat::handshake ? quotas.handshakes.enter(config.max_handshakes)
                       : seat == Seat::api     ? quotas.api.enter(config.max_api_connections)
                                               : quotas.clients.enter(config.max_clients);
    if (!taken) return false;
    leave_seat(client);
    client.seat = seat;
    return true;
}

void Lifecycle::leave_seat(Client& client) {
    switch (std::exchange(client.seat, Seat::none)) {
        case Seat::none: break;
        case Seat::handshake: core_.quotas.handshakes.leave(); break;
        case Seat::api: core_.quotas.api.leave(); break;
        case Seat::client: core_.quotas.clients.leave(); break;
    }
}

/// Answers before the request has come, so that not even reading it costs anything. Only so many may take their time to
/// read it: they hold descriptors.
void Lifecycle::turn_away(Client& client, Refusal reason) {
    core_.stats.count_refusal(reason);
    if (turned_away_ >= kTurnedAwayMax) {
        abort(client, CloseReason::over_capacity);
        return;
    }
    client.turned_away = true;
    ++turned_away_;
    core_.sender.stream(client, kNoRoom);
    close(client, {0, CloseReason::over_capacity, {}, false});
}

// ---- input

bool Lifecycle::wants_input(const Client& client) {
    if (client.input_over || client.pieces_waiting >= Intake::kPiecesMax) return false;
    if (client.state != ClientState::open) return client.state != ClientState::dead;  // to its end, to be discarded
    return !client.paused && (client.held_input == nullptr || client.held_input->size() <= kHeldInputMax);
}

void Lifecycle::update_receive(Client& client, Arm when) {
    const bool wanted = wants_input(client);
    if (wanted && !client.recv_armed && !client.arm_due) {
        client.arm_due = true;
        (when == Arm::soon ? arm_soon_ : arm_in_turn_).push_back(client.id);
    } else if (!wanted && client.recv_armed && !client.recv_cancelling && client.state != ClientState::dead) {
        client.recv_cancelling = true;
        core_.ring.cancel({io::Op::recv, client.generation(), client.slot()});
    }
}

void Lifecycle::arm_receives() {
    if (core_.ring.buffers_free() == 0 || core_.intake.crowded()) return;
    std::size_t room = std::max<std::size_t>(core_.ring.buffers_free() / kBuffersPerArm, 1);
    const auto arm_some = [&](base::Fifo<std::uint64_t>& due, std::size_t most) {
        for (; most != 0 && room != 0 && !due.empty(); --most, --room) {
            arm(due.front());
            due.pop_front();
        }
    };
    arm_some(arm_soon_, arm_soon_.size());
    arm_some(arm_in_turn_, kArmsOfMany);
}

void Lifecycle::arm(std::uint64_t id) {
    Client* client = core_.find(id);
    if (client == nullptr || !client->arm_due) return;
    client->arm_due = false;
    if (!wants_input(*client)) return;
    client->recv_armed = true;
    client->recv_cancelling = false;
    core_.ring.recv(client->fd, {io::Op::recv, client->generation(), client->slot()});
}

void Lifecycle::received(const io::Completion& done) {
    Client* client = core_.clients.find(done.token.slot, done.token.generation);
    if (client == nullptr) {
        if (done.has_buffer) core_.ring.give_back(done.buffer);
        return;
    }
    client->recv_armed = done.more;
    // A cancel may have missed the receive, which goes on then: it is asked again if need be.
    client->recv_cancelling = false;
    if (done.has_buffer) {
        take_input(*client, core_.ring.buffer(done));
        core_.ring.give_back(done.buffer);
    } else if (done.result == 0) {
        input_ended(*client);
    } else if (done.result != -ENOBUFS && done.result != -ECANCELED) {
        client->input_over = true;
        abort(*client, CloseReason::peer_reset);
    }
    if (client->state == ClientState::dead) {
        doom(*client);
    } else {
        const bool much = done.has_buffer || done.result == -ECANCELED;
        update_receive(*client, much ? Arm::in_turn : Arm::soon);
    }
}

void Lifecycle::take_input(Client& client, std::span<const std::byte> bytes) {
    core_.stats.bytes_received.add(bytes.size());
    if (client.state != ClientState::open) return;  // discarded: only its end is waited for
    heard(client);
    if (!within_byte_rate(client, bytes.size())) return;
    if (client.paused || client.awaiting || client.held_input != nullptr) {
        hold_input(client, bytes);
    } else {
        process(client, bytes);
    }
}

bool Lifecycle::within_byte_rate(Client& client, std::size_t bytes) {
    if (core_.config.client_bytes_per_second == 0 || !only_listens(client.kind)) return true;
    if (client.bytes_in.take(base::milliseconds_of(core_.now), core_.config.client_bytes_per_second, bytes))
        return true;
    send_off(client, Refusal::byte_rate, "Too many bytes in too short a time");
    return false;
}

void Lifecycle::send_off(Client& client, Refusal reason, std::string_view text) {
    core_.stats.count_refusal(reason);
    close(client, {code_of(protocol::ErrorCode::over_capacity), CloseReason::over_capacity, text});
}

void Lifecycle::cut_backlog(Client& client) {
    close(client, {code_of(protocol::ErrorCode::over_capacity), CloseReason::memory,
                   "Client too slow: the server has no memory for what waits for it"});
    if (client.state == ClientState::closing) core_.timers.set(client.slot(), core_.now + kLingerCut);
}

void Lifecycle::heard(Client& client) {
    client.last_received = core_.now;
    client.ping_sent = {};
    if (!client.stale) return;
    client.stale = false;
    core_.stats.stale_clients.subtract();
}

void Lifecycle::process(Client& client, std::span<const std::byte> bytes) {
    if (is_websocket(client.kind)) {
        core_.ws.feed(client, bytes);
    } else {
        core_.http.feed(client, bytes);
    }
}

void Lifecycle::hold_input(Client& client, std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    if (client.held_input == nullptr) client.held_input = new std::string;
    held_bytes_ += bytes.size();
    client.held_input->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void Lifecycle::process_held(Client& client) {
    if (client.held_input == nullptr || client.state != ClientState::open) return;
    const std::unique_ptr<std::string> held(client.held_input);
    held_bytes_ -= held->size();
    client.held_input = nullptr;
    process(client, std::as_bytes(std::span(*held)));
}

void Lifecycle::input_ended(Client& client) {
    client.input_over = true;
    switch (client.state) {
        case ClientState::open:
            if (client.awaiting || client.held_input != nullptr || core_.http.unanswered(client))
                return;  // answers first; go_on() ends it
            if (!is_websocket(client.kind) && client.out != nullptr) {
                close(client, {0, CloseReason::finished, {}, false});
            } else {
                abort(client, CloseReason::peer_closed);
            }
            break;
        case ClientState::closing: break;  // the last frames may still get through
        case ClientState::lingering: abort(client, client.close_reason); break;
        case ClientState::dead: break;
    }
}

void Lifecycle::pause(Client& client) {
    if (client.paused) return;
    client.paused = true;
    core_.stats.pauses.add();
    paused_.push_back(client.id);
    update_receive(client);
}

void Lifecycle::resume_paused() {
    if (paused_.empty() || core_.port.tight()) return;
    resuming_.swap(paused_);
    std::size_t i = 0;
    for (; i < resuming_.size() && !core_.port.tight(); ++i) {
        Client* client = core_.find(resuming_[i]);
        if (client == nullptr || !client->paused) continue;
        client->paused = false;
        go_on(*client);
    }
    paused_.insert(paused_.begin(), resuming_.begin() + static_cast<std::ptrdiff_t>(i), resuming_.end());
    resuming_.clear();
}

void Lifecycle::go_on(Client& client) {
    if (!is_websocket(client.kind)) core_.http.go_on(client);
    process_held(client);
    if (client.state != ClientState::open) return;
    if (client.input_over && !client.awaiting && !client.paused && client.held_input == nullptr &&
        !core_.http.unanswered(client)) {
        input_ended(client);
    } else {
        update_receive(client);
    }
}

// ---- the end

void Lifecycle::leave_service(Client& client, const Closing& closing) {
    client.state = ClientState::closing;
    client.close_code = closing.code;
    client.close_reason = closing.reason;
    core_.stats.clients[static_cast<std::size_t>(client.kind)].subtract();
    core_.stats.count_close(closing.code, closing.reason);
    if (is_websocket(client.kind) && base::log::enabled(base::log::Level::debug))
        base::log::debug(base::concat(log_name(client), " closed: ", closing.code, ", ", to_string(closing.reason)));
    if (client.stale) core_.stats.stale_clients.subtract();
    client.stale = false;
    core_.membership.leave_all(client);
    core_.users.left(client);
    if (client.gaps) core_.gaps.forget(client);
    if (client.has_app) core_.quotas.per_app[client.app].leave();
    leave_seat(client);
    core_.gate.leave(client);
    client.has_app = false;
}

void Lifecycle::close(Client& client, const Closing& closing) {
    if (client.state != ClientState::open) return;
    if (is_websocket(client.kind) &&
        client.awaiting) {  // its upgrade is not answered: there is nobody to send frames to
        abort(client, closing.reason);
        return;
    }
    leave_service(client, closing);
    client.close_when_flushed = true;
    if (is_websocket(client.kind)) {
        core_.sender.drop_unsent(client);
        if (client.kind == ClientKind::pusher && closing.tell_event && closing.code >= 4000) {
            std::string json;
            protocol::encode_error(json, closing.code, closing.text);
            std::string frame;
            ws::append_text(frame, json);
            core_.sender.last_word(client, std::move(frame));
        }
        std::string frame;
        if (closing.code == 0) {
            ws::append_frame(frame, ws::Opcode::close, std::string_view{});
        } else {
            ws::append_close(frame, closing.code, closing.text);
        }
        core_.sender.last_word(client, std::move(frame));
    }
    core_.timers.set(client.slot(), core_.now + kLinger);
    if (client.out == nullptr) {
        flushed(client);
    } else {
        core_.sender.mark_dirty(client);
    }
    update_receive(client);
}

void Lifecycle::flushed(Client& client) {
    if (client.state == ClientState::closing && client.close_when_flushed) {
        client.state = ClientState::lingering;
        if (client.input_over) {
            abort(client, client.close_reason);
            return;
        }
        core_.ring.shutdown(client.fd, SHUT_WR);
        core_.timers.set(client.slot(), core_.now + kLinger);
        update_receive(client);
    } else if (client.state == ClientState::open) {
        core_.http.flushed(client);
    }
}

void Lifecycle::abort(Client& client, CloseReason reason) {
    if (client.state == ClientState::dead) return;
    if (client.state == ClientState::open) leave_service(client, {ws::close_code::kAbnormal, reason, {}, false});
    client.state = ClientState::dead;
    if (!client.sending) core_.sender.drop_all(client);
    core_.ring.shutdown(client.fd, SHUT_RDWR);
    doom(client);
}

void Lifecycle::doom(Client& client) {
    SPILLWAY_ASSERT(client.state == ClientState::dead);
    if (client.recv_armed || client.sending || client.doomed) return;
    client.doomed = true;
    doomed_.push_back(client.id);
}

void Lifecycle::free_doomed() {
    for (const std::uint64_t id : doomed_) {
        Client* client = core_.find(id);
        SPILLWAY_ASSERT(client != nullptr);
        free(*client);
    }
    doomed_.clear();
}

void Lifecycle::let_go(Client& client) {
    core_.http.give_back(client);
    delete client.held_input;
    client.held_input = nullptr;
}

void Lifecycle::free(Client& client) {
    SPILLWAY_ASSERT(!client.recv_armed && !client.sending && client.subscriptions.size() == 0);
    core_.sender.drop_all(client);
    core_.http.give_back(client);
    core_.publishing.forget(client);
    if (client.held_input != nullptr) held_bytes_ -= client.held_input->size();
    delete client.held_input;
    client.held_input = nullptr;
    core_.timers.cancel(client.slot());
    core_.ring.close(client.fd);
    if (client.main_port) core_.quotas.connections.leave();
    core_.gate.forget(client);
    if (client.turned_away) --turned_away_;
    core_.clients.release(client.slot());
}

// ---- time

void Lifecycle::watch(Client& client) { core_.timers.set(client.slot(), next_check(client)); }

void Lifecycle::watch_writes(Client& client) {
    if (client.state == ClientState::open) watch(client);
}

void Lifecycle::retry_later(Client& client, base::Duration after) {
    retries_.push_back({client.id, core_.now + after});
}

void Lifecycle::retry_sends() {
    while (!retries_.empty() && core_.now >= retries_.front().due) {
        Client* client = core_.find(retries_.front().client);
        retries_.pop_front();
        if (client != nullptr && client->state != ClientState::dead && client->out != nullptr)
            core_.sender.mark_dirty(*client);
    }
}

base::Instant Lifecycle::authorization_due(const Client& client) const {
    if (!client.unauthorized || !core_.apps[client.app].require_authorization) return base::Instant::max();
    return client.opened + core_.apps[client.app].authorization_timeout;
}

base::Instant Lifecycle::next_check(const Client& client) const {
    const Config& config = core_.config;
    base::Instant due = client.last_received + config.read_timeout;
    if (is_websocket(client.kind) && !client.awaiting) {
        due = next_judgement(config, {client.last_received, client.ping_sent, client.slot()}, core_.now);
    } else if (client.http == nullptr) {
        const bool heard = client.opened == base::Instant{};
        due = heard ? client.last_received + config.http_idle_timeout : client.opened + config.handshake_timeout;
    } else if (core_.http.unanswered(client)) {
        due = core_.now + config.read_timeout;  // it is we who are waited for
    } else if (!client.awaiting) {
        // Absolute, both to the end of the head and to that of the body: a byte now and then must not keep a place.
        due = client.opened + (core_.http.head_complete(client) ? config.read_timeout : config.handshake_timeout);
    }
    due = std::min(due, authorization_due(client));
    if (client.sending && client.out != nullptr)
        due = std::min<base::Instant>(due, client.out->waiting_since + config.write_timeout);
    return due;
}

void Lifecycle::timer_fired(std::uint32_t slot) {
    Client& client = core_.clients[slot];
    switch (client.state) {
        case ClientState::closing:
        case ClientState::lingering: abort(client, client.close_reason); return;
        case ClientState::dead: return;
        case ClientState::open: break;
    }
    if (client.sending) core_.sender.note_progress(client);
    if (client.sending && core_.now >= client.out->waiting_since + core_.config.write_timeout) {
        abort(client, CloseReason::write_timeout);
        return;
    }
    if (is_websocket(client.kind)) {
        check_websocket(client);
    } else {
        check_http(client);
    }
    if (client.state == ClientState::open) watch(client);
}

void Lifecycle::check_websocket(Client& client) {
    const auto give_up = [&](CloseReason reason) {
        close(client, {4201, reason, protocol::default_text(protocol::ErrorCode::pong_not_received)});
    };
    switch (judge_silence(core_.config, {client.last_received, client.ping_sent, client.slot()}, core_.now)) {
        case LivenessVerdict::alive: break;
        case LivenessVerdict::read_timeout: give_up(CloseReason::read_timeout); break;
        case LivenessVerdict::pong_timeout: give_up(CloseReason::pong_timeout); break;
        case LivenessVerdict::stale:
            if (!client.stale) core_.stats.stale_clients.add();
            client.stale = true;
            break;
        case LivenessVerdict::ping: {
            if (client.awaiting) break;  // its upgrade is not answered: a ping would come before the 101
            client.ping_sent = core_.now;
            std::string frame;
            ws::append_ping(frame, {});
            core_.stats.pings.add();
            core_.sender.control(client, std::move(frame));
            break;
        }
    }
    if (core_.now >= authorization_due(client)) {
        core_.stats.count_refusal(Refusal::authorization);
        close(client, {4009, CloseReason::policy, "Connection not authorized within its time"});
    }
}

void Lifecycle::sweep() {
    const std::uint32_t slots = core_.clients.slots_used();
    const std::uint32_t most = std::min(slots, std::max(kSweepMin, slots / kSweepShare));
    for (std::uint32_t i = 0; i < most; ++i) {
        swept_ = swept_ + 1 < slots ? swept_ + 1 : 0;
        if (!core_.clients.is_live(swept_)) continue;
        Client& client = core_.clients[swept_];
        look_at_queue(client);
        if (client.state == ClientState::dead || core_.timers.is_set(swept_)) continue;
        core_.stats.swept.add();
        core_.timers.set(swept_, core_.now);
    }
}

void Lifecycle::look_at_queue(const Client& client) {
    if (client.state != ClientState::open || !counts_as_client(client.kind)) return;
    const std::uint64_t bytes = client.out == nullptr ? 0 : client.out->queue.bytes();
    const std::uint64_t most = std::max<std::uint64_t>(core_.config.queue_bytes, 1);
    core_.stats.count_queue_look((bytes * 100 + most - 1) / most);
}

void Lifecycle::check_http(Client& client) {
    if (client.awaiting || core_.http.unanswered(client) || core_.now < next_check(client)) return;
    if (client.http != nullptr) core_.http.timed_out(client);
    const bool idle = client.opened == base::Instant{};
    close(client, {0, idle ? CloseReason::finished : CloseReason::handshake_timeout, {}, false});
}

void Lifecycle::check_invariants() {
    SPILLWAY_ASSERT(doomed_.empty());
    core_.clients.for_each([&](std::uint32_t slot, Client& client) {
        SPILLWAY_ASSERT(client.slot() == slot);
        if (client.state != ClientState::open) SPILLWAY_ASSERT(client.subscriptions.size() == 0);
        if (client.state == ClientState::dead) SPILLWAY_ASSERT(client.recv_armed || client.sending);
        if (client.state == ClientState::open && !client.input_over)
            SPILLWAY_ASSERT(client.recv_armed || client.paused || client.arm_due || client.pieces_waiting != 0 ||
                            client.held_input != nullptr);
        for (std::size_t i = 0; i < client.subscriptions.size(); ++i) {
            const Subscription& s = client.subscriptions[i];
            pubsub::LocalChannel* channel = core_.channels.get(s.channel);
            SPILLWAY_ASSERT(channel != nullptr);
            if (s.index == Subscription::kPending) continue;
            SPILLWAY_ASSERT(channel->subscribers[s.index].slot == slot && channel->subscribers[s.index].back == i);
        }
    });
}

}  // namespace spillway::server
