// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Our reading of frames against wslay's alone, and our UTF-8 against a decoder that works it out code point by code point.
// Any bytes as they come: we are stricter, so our messages are the first of wslay's. The same bytes as one message, masked
// and fragmented as the first bytes say: exactly the same verdict and payload.
#include <sys/types.h>  // ssize_t, which wslay.h takes for granted

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <wslay/wslay.h>

#include "../unit/ws/client_frames.h"
#include "property.h"
#include "ws/session.h"
#include "ws/utf8.h"

using namespace spillway::ws;

namespace {

constexpr std::uint64_t kMessageMax = 1 << 20;

using spillway::fuzz::require;

/// What a reader made of a connection's bytes: its data messages, each with its opcode before it.
struct Reading {
    std::vector<std::string> messages;
    bool failed = false;
    unsigned close_code = 0;  // of the peer's close frame, as we read it
};

/// wslay by itself, as its documentation has it.
class Reference {
public:
    explicit Reference(std::string_view input) : input_(input) {
        wslay_event_callbacks callbacks = {};
        callbacks.recv_callback = receive;
        callbacks.send_callback = swallow;
        callbacks.on_msg_recv_callback = message;
        if (wslay_event_context_server_init(&context_, &callbacks, this) != 0) std::abort();
        wslay_event_config_set_max_recv_msg_length(context_, kMessageMax);
    }
    ~Reference() { wslay_event_context_free(context_); }
    Reference(const Reference&) = delete;
    Reference& operator=(const Reference&) = delete;

    Reading read() {
        while (!input_.empty() && wslay_event_want_read(context_) != 0 && wslay_event_recv(context_) == 0) {
        }
        // Having found fault it reads no more, and has its close frame queued.
        reading_.failed = wslay_event_want_read(context_) == 0 && !closed_by_peer_;
        return reading_;
    }

private:
    static ssize_t receive(wslay_event_context* context, std::uint8_t* out, std::size_t room, int, void* self) {
        std::string_view& input = static_cast<Reference*>(self)->input_;
        if (input.empty()) {
            wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
            return -1;
        }
        const std::size_t n = std::min(room, input.size());
        std::memcpy(out, input.data(), n);
        input.remove_prefix(n);
        return static_cast<ssize_t>(n);
    }
    static ssize_t swallow(wslay_event_context*, const std::uint8_t*, std::size_t size, int, void*) {
        return static_cast<ssize_t>(size);
    }
    static void message(wslay_event_context*, const wslay_event_on_msg_recv_arg* what, void* self) {
        auto& reference = *static_cast<Reference*>(self);
        if (what->opcode == WSLAY_CONNECTION_CLOSE) reference.closed_by_peer_ = true;
        if (wslay_is_ctrl_frame(what->opcode)) return;
        std::string text(1, what->opcode == WSLAY_TEXT_FRAME ? 't' : 'b');
        reference.reading_.messages.push_back(text.append(reinterpret_cast<const char*>(what->msg), what->msg_length));
    }

    std::string_view input_;
    wslay_event_context* context_ = nullptr;
    bool closed_by_peer_ = false;
    Reading reading_;
};

class Messages final : public Sink {
public:
    explicit Messages(Reading& reading) : reading_(reading) {}
    Flow on_message(Opcode opcode, std::span<const std::byte> payload) override {
        std::string text(1, opcode == Opcode::text ? 't' : 'b');
        reading_.messages.push_back(text.append(test::text(payload)));
        return Flow::go_on;
    }
    Flow on_ping(std::span<const std::byte>) override { return Flow::go_on; }
    Flow on_pong(std::span<const std::byte>) override { return Flow::go_on; }
    void on_close(std::optional<std::uint16_t>, std::string_view) override {}

private:
    Reading& reading_;
};

Reading read_ourselves(std::string_view input, std::size_t piece) {
    Reading reading;
    Messages sink(reading);
    SessionPool pool(1);
    Inbound inbound;
    for (std::size_t at = 0; at < input.size(); at += std::min(piece, input.size() - at)) {
        const FeedResult result = pool.feed(inbound, test::bytes(input.substr(at, piece)),
                                            {.message_bytes = kMessageMax, .fragments = 1U << 20}, sink);
        if (result.state == SessionState::closed) reading.close_code = result.close_code;
        if (result.state != SessionState::failed) continue;
        reading.failed = true;
        break;
    }
    return reading;
}

/// RFC 3629 by the numbers.
bool decodes(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i++]);
        if (first < 0x80) continue;
        const std::size_t more = first >> 5 == 6 ? 1 : first >> 4 == 14 ? 2 : first >> 3 == 30 ? 3 : 0;
        if (more == 0) return false;
        std::uint32_t point = first & (0x3FU >> more);
        for (std::size_t j = 0; j < more; ++j, ++i) {
            if (i == text.size() || (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return false;
            point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
        }
        const std::uint32_t least = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
        if (point < least || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    }
    return true;
}

/// The last frame is a control frame that is not whole.
bool ends_within_control(std::string_view input) {
    const auto at = [&input](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(input[i])); };
    while (input.size() >= 2) {
        const std::size_t form = (at(1) & 0x7F) == 126 ? 2 : (at(1) & 0x7F) == 127 ? 8 : 0;
        if (input.size() < 2 + form) return false;
        std::uint64_t length = form == 0 ? at(1) & 0x7F : 0;
        for (std::size_t i = 0; i < form; ++i) length = length << 8 | at(2 + i);
        const std::size_t head = 2 + form + 4;
        if (input.size() < head || length > input.size() - head) return (at(0) & 8) != 0;
        input.remove_prefix(head + length);
    }
    return false;
}

void check_raw(std::string_view input, std::size_t piece) {
    const Reading theirs = Reference(input).read();
    const Reading ours = read_ourselves(input, piece);
    require(ours.messages.size() <= theirs.messages.size());
    require(std::ranges::equal(ours.messages, std::span(theirs.messages).first(ours.messages.size())));
    // wslay does not know the codes that were registered later; and it judges a close frame before it is whole.
    const bool later_code = ours.close_code >= 1012 && ours.close_code <= 1014;
    if (theirs.failed) require(ours.failed || later_code || ends_within_control(input));
}

void check_message(std::string_view payload, std::uint32_t key, std::size_t fragment, std::size_t piece, bool text) {
    std::string wire;
    std::size_t at = 0;
    do {
        const std::string part(payload.substr(at, fragment));
        const bool last = at + fragment >= payload.size();
        wire += test::ClientFrame{.opcode = at != 0 ? 0U
                                            : text  ? 1U
                                                    : 2U,
                                  .payload = part,
                                  .fin = last,
                                  .key = key}
                    .encode();
        at += fragment;
    } while (at < payload.size());
    const Reading theirs = Reference(wire).read();
    const Reading ours = read_ourselves(wire, piece);
    const bool sound = !text || decodes(payload);
    require(ours.failed == !sound && theirs.failed == !sound);
    require(ours.messages == theirs.messages && ours.messages.size() == (sound ? 1U : 0U));
    if (sound) require(ours.messages.front().substr(1) == payload);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 8) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::uint32_t key = 0;
    std::memcpy(&key, data, sizeof key);
    const std::size_t fragment = 1 + data[4];
    const std::size_t piece = 1 + data[5] * 4U;
    const std::string_view rest = text.substr(6);
    require(is_valid_utf8(test::bytes(rest)) == decodes(rest));
    check_raw(text, piece);
    check_raw(rest, piece);
    check_message(rest, key, rest.size(), SIZE_MAX, true);
    check_message(rest, key, fragment, piece, true);
    check_message(rest, key, fragment, piece, false);
    return 0;
}
