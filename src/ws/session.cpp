// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "ws/session.h"

#include <sys/types.h>  // ssize_t, which wslay.h takes for granted

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include <wslay/wslay.h>

#include "base/assert.h"
#include "base/poison.h"
#include "ws/frame_scanner.h"
#include "ws/utf8.h"

namespace spillway::ws {
namespace {

using Bytes = std::span<const std::byte>;

/// A message buffer larger than this is not kept for the next message.
constexpr std::size_t kKeptPayloadBytesMax = 16 * kKiB;
/// What a wslay context allocates: two structs with a buffer of 4 KiB each.
constexpr std::size_t kContextBytes = 9 * kKiB;

/// Writes `in` to `out`, unmasked with the key turned to `phase` (RFC 6455 section 5.3). The eight-byte steps keep the
/// phase, because eight is a multiple of the key.
void unmask(std::byte* out, Bytes in, const std::byte* key, std::size_t phase) {
    std::array<std::byte, 8> turned;
    for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = key[(phase + i) % kMaskKeyBytes];
    std::uint64_t key_word = 0;
    std::memcpy(&key_word, turned.data(), sizeof key_word);

    std::size_t i = 0;
    for (; i + sizeof key_word <= in.size(); i += sizeof key_word) {
        std::uint64_t word = 0;
        std::memcpy(&word, in.data() + i, sizeof word);
        word ^= key_word;
        std::memcpy(out + i, &word, sizeof word);
    }
    for (; i < in.size(); ++i) out[i] = in[i] ^ turned[i % turned.size()];
}

Failure protocol_error(std::string_view reason) { return {close_code::kProtocolError, reason}; }

/// A close payload taken apart (RFC 6455 section 5.5.1).
struct ClosePayload {
    Failure failure;
    std::optional<std::uint16_t> code;
    std::string_view reason;

    static ClosePayload parse(Bytes payload) {
        ClosePayload close;
        if (payload.empty()) return close;
        if (payload.size() == 1) {
            close.failure = protocol_error("a close payload is empty or begins with a code");
            return close;
        }
        const auto code = static_cast<std::uint16_t>(read_big_endian(payload.data(), 2));
        const Bytes reason = payload.subspan(2);
        if (!is_valid_on_wire(code)) {
            close.failure = protocol_error("invalid close code");
        } else if (!is_valid_utf8(reason)) {
            close.failure = {close_code::kInvalidPayload, "the close reason is not UTF-8"};
        }
        close.code = code;
        close.reason = {reinterpret_cast<const char*>(reason.data()), reason.size()};
        return close;
    }
};

}  // namespace

/// One incomplete message or frame of one connection. Data frames whose headers have passed the scanner go to wslay,
/// which unmasks, validates UTF-8 as it comes and tells when a message is complete; control frames are kept until whole.
class Session {
public:
    Session(SessionPool& pool, Peer peer) : pool_(&pool), peer_(peer), frame_(peer) {}
    ~Session() {
        if (context_ != nullptr) wslay_event_context_free(context_);
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    enum class Event : std::uint8_t { none, message, ping, pong, closed, failed };
    struct Step {
        Event event = Event::none;
        std::size_t consumed = 0;
        Failure failure = {};
    };
    /// Takes bytes up to the end of one frame at most.
    Step take(Bytes in, const MessageLimits& limits);

    [[nodiscard]] bool at_message_boundary() const { return frame_.at_message_boundary(); }
    /// Nothing is left in wslay's state.
    [[nodiscard]] bool reusable() const { return at_message_boundary() && !failed_; }
    [[nodiscard]] SessionPool& pool() const { return *pool_; }
    [[nodiscard]] std::size_t bytes_held() const {
        return sizeof(Session) + payload_.capacity() + (context_ != nullptr ? kContextBytes : 0);
    }

    /// Valid from the step that told the event until the next one.
    [[nodiscard]] Opcode message_opcode() const { return frame_.message_opcode(); }
    [[nodiscard]] Bytes message() const { return payload_; }
    [[nodiscard]] Bytes control_payload() const { return {control_.data(), control_bytes_}; }

    /// After a message was told.
    void forget_message() { payload_.clear(); }
    /// Before the pool keeps the Session.
    void trim() {
        payload_.clear();
        if (payload_.capacity() > kKeptPayloadBytesMax) std::vector<std::byte>().swap(payload_);
        if (payload_.capacity() != 0) base::poison(payload_.data(), 0, payload_.capacity());
        base::poison(control_.data(), 0, control_.size());
    }
    /// When it is taken out again.
    void wake() {
        if (payload_.capacity() != 0) base::unpoison(payload_.data(), payload_.capacity());
        base::unpoison(control_.data(), control_.size());
    }

private:
    Failure open_frame();
    void take_control_payload(Bytes in, Step& step);
    void take_message_payload(Bytes in, const MessageLimits& limits, Step& step);

    Failure through_wslay(Bytes bytes);
    void create_context();
    Failure wslay_verdict();
    void reserve_payload(std::size_t more, std::uint64_t message_bytes_max);

    static ssize_t on_recv(wslay_event_context* context, std::uint8_t* out, std::size_t room, int flags, void* self);
    static ssize_t on_send(wslay_event_context* context, const std::uint8_t* bytes, std::size_t size, int flags,
                           void* self);
    static int on_mask(wslay_event_context* context, std::uint8_t* key, std::size_t size, void* self);
    static void on_chunk(wslay_event_context* context, const wslay_event_on_frame_recv_chunk_arg* chunk, void* self);
    static void on_message(wslay_event_context* context, const wslay_event_on_msg_recv_arg* message, void* self);

    SessionPool* pool_;
    Peer peer_;
    FrameScanner frame_;
    bool failed_ = false;

    wslay_event_context* context_ = nullptr;  // made when the first data frame needs it
    Bytes window_;                            // what wslay may read at the moment
    bool message_told_ = false;               // by wslay, of the frame under way
    std::vector<std::byte> payload_;          // of the message under way

    std::array<std::byte, kControlPayloadMax> control_{};
    std::uint8_t control_bytes_ = 0;
    std::array<std::byte, 4 + kMaskKeyBytes> verdict_{};  // the close frame wslay would send, as far as its code
    std::uint8_t verdict_bytes_ = 0;
};

Session::Step Session::take(Bytes in, const MessageLimits& limits) {
    Step step;
    if (!frame_.header_whole()) {
        step.consumed = frame_.take_header(in, limits, step.failure);
        if (!step.failure && frame_.header_whole()) step.failure = open_frame();
    }
    if (!step.failure && frame_.header_whole()) {
        const auto here =
            static_cast<std::size_t>(std::min<std::uint64_t>(frame_.payload_left(), in.size() - step.consumed));
        const Bytes payload = in.subspan(step.consumed, here);
        step.consumed += here;
        if (is_control(frame_.opcode())) {
            take_control_payload(payload, step);
        } else {
            take_message_payload(payload, limits, step);
        }
    }
    if (step.failure) {
        failed_ = true;
        step.event = Event::failed;
    }
    return step;
}

Failure Session::open_frame() {
    if (is_control(frame_.opcode())) {
        control_bytes_ = 0;
        return {};
    }
    if (frame_.opcode() != Opcode::continuation) payload_.clear();
    message_told_ = false;
    return through_wslay(frame_.header());
}

void Session::take_control_payload(Bytes in, Step& step) {
    unmask(control_.data() + control_bytes_, in, frame_.mask_key(), control_bytes_);
    control_bytes_ = static_cast<std::uint8_t>(control_bytes_ + in.size());
    frame_.take_payload(in.size());
    if (frame_.payload_left() > 0) return;

    frame_.end_frame();
    switch (frame_.opcode()) {
        case Opcode::ping: step.event = Event::ping; break;
        case Opcode::pong: step.event = Event::pong; break;
        default: step.event = Event::closed; step.failure = ClosePayload::parse(control_payload()).failure;
    }
}

void Session::take_message_payload(Bytes in, const MessageLimits& limits, Step& step) {
    if (!in.empty()) {
        reserve_payload(in.size(), limits.message_bytes);
        step.failure = through_wslay(in);
        if (step.failure) return;
        frame_.take_payload(in.size());
    }
    if (frame_.payload_left() > 0) return;

    frame_.end_frame();
    SPILLWAY_ASSERT(message_told_ == frame_.fin());
    if (frame_.fin()) step.event = Event::message;
}

/// Grows with what has arrived, never with what was announced; before wslay runs, because bad_alloc must not cross it.
void Session::reserve_payload(std::size_t more, std::uint64_t message_bytes_max) {
    const std::size_t needed = payload_.size() + more;
    if (needed <= payload_.capacity()) return;
    const auto doubled = static_cast<std::size_t>(std::min<std::uint64_t>(payload_.capacity() * 2, message_bytes_max));
    payload_.reserve(std::max(needed, doubled));
}

/// Hands wslay bytes of one frame. It reads all of them unless it finds fault.
Failure Session::through_wslay(Bytes bytes) {
    if (context_ == nullptr) create_context();
    window_ = bytes;
    const int error = wslay_event_recv(context_);
    if (error == WSLAY_ERR_NOMEM) return {close_code::kInternal, "out of memory"};
    if (error != 0 || wslay_event_get_read_enabled(context_) == 0) return wslay_verdict();
    SPILLWAY_ASSERT(window_.empty());
    return {};
}

void Session::create_context() {
    const wslay_event_callbacks callbacks = {.recv_callback = on_recv,
                                             .send_callback = on_send,
                                             .genmask_callback = on_mask,
                                             .on_frame_recv_start_callback = nullptr,
                                             .on_frame_recv_chunk_callback = on_chunk,
                                             .on_frame_recv_end_callback = nullptr,
                                             .on_msg_recv_callback = on_message};
    const auto init = peer_ == Peer::client ? wslay_event_context_server_init : wslay_event_context_client_init;
    if (init(&context_, &callbacks, this) != 0) {
        context_ = nullptr;
        throw std::bad_alloc();
    }
    // Without its buffering wslay neither allocates per frame nor trusts an announced length; the sum of fragments is
    // checked here, the frame's own length must not be refused there.
    wslay_event_config_set_no_buffering(context_, 1);
    wslay_event_config_set_max_recv_msg_length(context_, UINT64_MAX >> 1);
}

/// The code in the close frame that wslay queued for the peer; the frame itself is never sent.
Failure Session::wslay_verdict() {
    verdict_bytes_ = 0;
    wslay_event_send(context_);
    const std::size_t code_at = peer_ == Peer::client ? 2 : 2 + kMaskKeyBytes;
    if (verdict_bytes_ < code_at + 2) return protocol_error("malformed frame");
    const auto code = static_cast<std::uint16_t>(read_big_endian(&verdict_[code_at], 2));
    if (code == close_code::kInvalidPayload) return {code, "text is not UTF-8"};
    return {code, "malformed frame"};
}

ssize_t Session::on_recv(wslay_event_context* context, std::uint8_t* out, std::size_t room, int, void* self) {
    Bytes& window = static_cast<Session*>(self)->window_;
    const std::size_t size = std::min(room, window.size());
    if (size == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    std::memcpy(out, window.data(), size);
    window = window.subspan(size);
    return static_cast<ssize_t>(size);
}

ssize_t Session::on_send(wslay_event_context*, const std::uint8_t* bytes, std::size_t size, int, void* self) {
    Session& session = *static_cast<Session*>(self);
    for (std::size_t i = 0; i < size && session.verdict_bytes_ < session.verdict_.size(); ++i) {
        session.verdict_[session.verdict_bytes_++] = static_cast<std::byte>(bytes[i]);
    }
    return static_cast<ssize_t>(size);
}

/// Of the verdict, which nobody is sent: zeros leave it readable.
int Session::on_mask(wslay_event_context*, std::uint8_t* key, std::size_t size, void*) {
    std::fill_n(key, size, std::uint8_t{0});
    return 0;
}

void Session::on_chunk(wslay_event_context*, const wslay_event_on_frame_recv_chunk_arg* chunk, void* self) {
    if (chunk->data_length == 0) return;
    auto& payload = static_cast<Session*>(self)->payload_;
    const auto* data = reinterpret_cast<const std::byte*>(chunk->data);
    SPILLWAY_ASSERT(payload.capacity() - payload.size() >= chunk->data_length);
    payload.insert(payload.end(), data, data + chunk->data_length);
}

void Session::on_message(wslay_event_context*, const wslay_event_on_msg_recv_arg*, void* self) {
    static_cast<Session*>(self)->message_told_ = true;
}

Session* Inbound::session() const noexcept { return state_ > kEnded ? reinterpret_cast<Session*>(state_) : nullptr; }

Inbound& Inbound::operator=(Inbound&& other) noexcept {
    if (this != &other) {
        release();
        state_ = std::exchange(other.state_, kIdle);
    }
    return *this;
}

std::size_t Inbound::bytes_held() const noexcept {
    const Session* lent = session();
    return lent != nullptr ? lent->bytes_held() : 0;
}

void Inbound::release() noexcept {
    if (Session* lent = session()) lent->pool().take_back(*this);
    state_ = kIdle;
}

SessionPool::SessionPool(std::size_t idle_max, Peer peer)
    : idle_max_(idle_max), peer_(peer), scratch_(new std::byte[kDirectBytesMax]) {
    idle_.reserve(idle_max_);  // so that taking back never allocates
}

SessionPool::~SessionPool() { SPILLWAY_ASSERT(lent_ == 0); }

Session& SessionPool::lend(Inbound& inbound) {
    std::unique_ptr<Session> session;
    if (idle_.empty()) {
        session = std::make_unique<Session>(*this, peer_);
        bytes_held_ += session->bytes_held();
    } else {
        session = std::move(idle_.back());
        idle_.pop_back();
        session->wake();
    }
    ++lent_;
    inbound.state_ = reinterpret_cast<std::uintptr_t>(session.get());
    return *session.release();
}

void SessionPool::take_back(Inbound& inbound) noexcept {
    std::unique_ptr<Session> session(inbound.session());
    inbound.state_ = Inbound::kIdle;
    --lent_;
    bytes_held_ -= session->bytes_held();
    if (!session->reusable() || idle_.size() >= idle_max_) return;
    session->trim();
    bytes_held_ += session->bytes_held();
    idle_.push_back(std::move(session));
}

FeedResult SessionPool::feed(Inbound& inbound, Bytes in, const MessageLimits& limits, Sink& sink) {
    return run(inbound, in, limits, sink, Route::direct_where_possible);
}

FeedResult SessionPool::feed_slowly(Inbound& inbound, Bytes in, const MessageLimits& limits, Sink& sink) {
    return run(inbound, in, limits, sink, Route::always_through_session);
}

namespace {

/// Marks a pool as busy while sinks run, whatever ends the run.
class Busy {
public:
    explicit Busy(bool& flag) : flag_(flag) {
        SPILLWAY_ASSERT(!flag_);
        flag_ = true;
    }
    ~Busy() { flag_ = false; }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

private:
    bool& flag_;
};

/// Keeps the pool's sum in step with a Session that may grow, also when memory runs out on the way.
class Account {
public:
    Account(const Session& session, std::size_t& sum) : session_(session), sum_(sum), before_(session.bytes_held()) {}
    ~Account() { sum_ = sum_ - before_ + session_.bytes_held(); }
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;

private:
    const Session& session_;
    std::size_t& sum_;
    std::size_t before_;
};

}  // namespace

FeedResult SessionPool::run(Inbound& inbound, Bytes in, const MessageLimits& limits, Sink& sink, Route route) {
    const Busy busy(feeding_);
    std::size_t at = 0;
    while (at < in.size() && !inbound.ended()) {
        Flow flow = Flow::go_on;
        if (route == Route::direct_where_possible && inbound.at_message_boundary()) {
            const std::size_t taken = decode_directly(in.subspan(at), limits, sink, flow);
            at += taken;
            if (flow == Flow::pause) return {.state = SessionState::paused, .consumed = at};
            if (taken > 0) continue;
        }
        FeedResult frame = take_frame(inbound, in.subspan(at), limits, sink);
        at += frame.consumed;
        if (frame.state == SessionState::ok) continue;
        frame.consumed = frame.state == SessionState::paused ? at : in.size();
        return frame;
    }
    return {.consumed = in.size()};
}

/// One frame at most, by way of a Session.
FeedResult SessionPool::take_frame(Inbound& inbound, Bytes in, const MessageLimits& limits, Sink& sink) {
    Session& session = inbound.session() != nullptr ? *inbound.session() : lend(inbound);
    Session::Step step;
    {
        const Account account(session, bytes_held_);
        step = session.take(in, limits);
    }
    FeedResult result{.consumed = step.consumed};
    Flow flow = Flow::go_on;
    switch (step.event) {
        case Session::Event::none: return result;
        case Session::Event::message:
            flow = sink.on_message(session.message_opcode(), session.message());
            session.forget_message();
            break;
        case Session::Event::ping: flow = sink.on_ping(session.control_payload()); break;
        case Session::Event::pong: flow = sink.on_pong(session.control_payload()); break;
        case Session::Event::closed: {
            const ClosePayload close = ClosePayload::parse(session.control_payload());
            sink.on_close(close.code, close.reason);
            result.state = SessionState::closed;
            result.close_code = close.code.value_or(0);
            break;
        }
        case Session::Event::failed:
            result.state = SessionState::failed;
            result.close_code = step.failure.code;
            result.reason = step.failure.reason;
            break;
    }
    if (flow == Flow::pause) result.state = SessionState::paused;
    const bool ends = result.state == SessionState::closed || result.state == SessionState::failed;
    if (ends || session.at_message_boundary()) take_back(inbound);
    if (ends) inbound.state_ = Inbound::kEnded;
    return result;
}

/// The common case: a message, ping or pong that lies whole and in one frame at the front of `in`. Tells the sink and
/// returns the frame's bytes; returns 0 for everything else, wrong frames included, and leaves it to a Session.
std::size_t SessionPool::decode_directly(Bytes in, const MessageLimits& limits, Sink& sink, Flow& flow) {
    if (peer_ != Peer::client || in.size() < 2 + kMaskKeyBytes) return 0;
    const FrameStart start = FrameStart::parse(in[0], in[1]);
    const Opcode opcode = start.opcode;
    const bool message = opcode == Opcode::text || opcode == Opcode::binary;
    const bool told_alone = message || opcode == Opcode::ping || opcode == Opcode::pong;
    if (!start.fin || start.rsv || !start.masked || !told_alone || start.short_length == 127) return 0;
    if (message && limits.fragments == 0) return 0;

    std::size_t length = start.short_length;
    if (length == 126) {
        length = static_cast<std::size_t>(read_big_endian(&in[2], 2));
        if (!message || length < 126) return 0;
    }
    const std::size_t header_bytes = 2 + start.length_bytes() + kMaskKeyBytes;
    if (length > kDirectBytesMax || in.size() < header_bytes || in.size() - header_bytes < length) return 0;
    if (message && length > limits.message_bytes) return 0;

    unmask(scratch_.get(), in.subspan(header_bytes, length), &in[header_bytes - kMaskKeyBytes], 0);
    const Bytes payload(scratch_.get(), length);
    if (opcode == Opcode::text && !is_valid_utf8(payload)) return 0;
    flow = message                  ? sink.on_message(opcode, payload)
           : opcode == Opcode::ping ? sink.on_ping(payload)
                                    : sink.on_pong(payload);
    return header_bytes + length;
}

}  // namespace spillway::ws
