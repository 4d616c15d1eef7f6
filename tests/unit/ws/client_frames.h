// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a client sends, and a sink that writes down what came of it: fixtures of the session tests and fuzzer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "ws/session.h"

namespace spillway::ws::test {

inline std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view text(std::span<const std::byte> data) {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

/// One client frame, right or wrong. Fields left alone make a right one.
struct ClientFrame {
    unsigned opcode = 0x1;
    std::string payload = {};
    bool fin = true;
    unsigned rsv = 0;
    bool masked = true;
    std::uint32_t key = 0x37FA213D;        // RFC 6455 section 5.7's
    int length_bytes = -1;                 // 0, 2 or 8; -1 takes the shortest
    std::uint64_t announced = UINT64_MAX;  // a length other than the payload's

    [[nodiscard]] std::string encode() const {
        const std::uint64_t length = announced == UINT64_MAX ? payload.size() : announced;
        const int form = length_bytes >= 0 ? length_bytes : length < 126 ? 0 : length <= 0xFFFF ? 2 : 8;
        std::string out;
        out.push_back(static_cast<char>((fin ? 0x80U : 0U) | (rsv << 4) | opcode));
        const std::uint64_t short_length = form == 0 ? length : form == 2 ? 126 : 127;
        out.push_back(static_cast<char>((masked ? 0x80U : 0U) | short_length));
        for (int i = form - 1; i >= 0; --i) out.push_back(static_cast<char>((length >> (8 * i)) & 0xFF));
        char mask[4] = {0, 0, 0, 0};
        if (masked) {
            for (int i = 0; i < 4; ++i) out.push_back(mask[i] = static_cast<char>((key >> (8 * (3 - i))) & 0xFF));
        }
        for (std::size_t i = 0; i < payload.size(); ++i) out.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
        return out;
    }
};

inline std::string text_frame(std::string payload) {
    return ClientFrame{.opcode = 0x1, .payload = std::move(payload)}.encode();
}
inline std::string binary_frame(std::string payload) {
    return ClientFrame{.opcode = 0x2, .payload = std::move(payload)}.encode();
}
inline std::string ping_frame(std::string payload) {
    return ClientFrame{.opcode = 0x9, .payload = std::move(payload)}.encode();
}
inline std::string pong_frame(std::string payload) {
    return ClientFrame{.opcode = 0xA, .payload = std::move(payload)}.encode();
}
inline std::string close_frame(std::string payload) {
    return ClientFrame{.opcode = 0x8, .payload = std::move(payload)}.encode();
}
inline std::string fragment(unsigned opcode, std::string payload, bool fin) {
    return ClientFrame{.opcode = opcode, .payload = std::move(payload), .fin = fin}.encode();
}
inline std::string close_payload(unsigned code, std::string_view reason = {}) {
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
    return payload.append(reason);
}

/// Writes every event as one line; pauses behind the events whose numbers are asked for.
class EventLog final : public Sink {
public:
    Flow on_message(Opcode opcode, std::span<const std::byte> payload) override {
        return note(opcode == Opcode::text ? "text " : "binary ", text(payload));
    }
    Flow on_ping(std::span<const std::byte> payload) override { return note("ping ", text(payload)); }
    Flow on_pong(std::span<const std::byte> payload) override { return note("pong ", text(payload)); }
    void on_close(std::optional<std::uint16_t> code, std::string_view reason) override {
        note("close ", code ? std::to_string(*code) + " " + std::string(reason) : "without code");
    }

    Flow note(std::string_view kind, std::string_view what) {
        log.append(kind).append(what).append("\n");
        ++events;
        return pause_always ? Flow::pause : Flow::go_on;
    }

    std::string log;
    std::size_t events = 0;
    bool pause_always = false;
};

/// One connection: feeds pieces, goes on after pauses, ends the log with how it ended.
struct Connection {
    SessionPool& pool;
    MessageLimits limits = {};
    bool slowly = false;
    EventLog sink = {};
    Inbound inbound = {};
    FeedResult last = {};

    FeedResult feed(std::string_view piece) {
        std::size_t at = 0;
        do {
            const auto rest = bytes(piece.substr(at));
            last = slowly ? pool.feed_slowly(inbound, rest, limits, sink) : pool.feed(inbound, rest, limits, sink);
            at += last.consumed;
            if (last.state == SessionState::failed) {
                sink.note("failed ", std::to_string(last.close_code) + " " + std::string(last.reason));
            }
            if (last.state == SessionState::closed) sink.note("closed ", std::to_string(last.close_code));
        } while (last.state == SessionState::paused && at < piece.size());
        return last;
    }
    Connection& feed_in_pieces(std::string_view all, std::size_t piece_bytes) {
        for (std::size_t at = 0; at < all.size(); at += piece_bytes) feed(all.substr(at, piece_bytes));
        return *this;
    }
    [[nodiscard]] const std::string& log() const { return sink.log; }
};

/// What the whole input comes to when it arrives at once.
inline std::string told(std::string_view input, MessageLimits limits = {}, bool slowly = false) {
    SessionPool pool;
    Connection connection{.pool = pool, .limits = limits, .slowly = slowly};
    connection.feed(input);
    return connection.log();
}

}  // namespace spillway::ws::test
