// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Plays a connection's bytes into a RequestParser and writes down every outcome: fixture of the parser tests and fuzzer.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "http/request_parser.h"

namespace spillway::http::test {

inline std::string describe(const Request& request) {
    std::string out(request.method);
    out.append(" ").append(request.target).append(" 1.").append(std::to_string(request.minor_version));
    if (request.keep_alive) out.append(" keep-alive");
    if (request.upgrade) out.append(" upgrade");
    if (request.expect_continue) out.append(" expect");
    for (const Header& header : request.headers)
        out.append("\n  ").append(header.name).append("=").append(header.value);
    out.append("\n  path=").append(request.path).append(" query=").append(request.query);
    return out.append("\n  body=").append(request.body).append("\n");
}

/// A connection that answers nothing: goes from request to request until an error or an upgrade.
class Connection {
public:
    explicit Connection(const Limits& limits = {}) : parser(limits) {}

    Connection& feed(std::string_view in) {
        while (!in.empty() && !ended) {
            std::size_t consumed = 0;
            const Outcome outcome = parser.feed(std::as_bytes(std::span(in.data(), in.size())), consumed);
            SPILLWAY_ASSERT(consumed <= in.size());
            SPILLWAY_ASSERT(outcome != Outcome::need_more || consumed == in.size());
            in.remove_prefix(consumed);
            note(outcome);
            if (outcome == Outcome::complete && ended) behind = std::string(in);
        }
        if (ended && !failed) behind_seen = true;
        return *this;
    }
    Connection& feed_in_pieces(std::string_view all, std::size_t piece_bytes) {
        for (std::size_t at = 0; at < all.size() && !ended; at += piece_bytes) {
            feed(all.substr(at, piece_bytes));
            if (behind_seen)
                behind = std::string(all.substr(at + piece_bytes > all.size() ? all.size() : at + piece_bytes))
                             .insert(0, behind);
        }
        return *this;
    }

    RequestParser parser;
    std::string log;
    std::string behind;  // bytes that belong to the WebSocket
    int continues = 0;
    bool ended = false;
    bool failed = false;
    bool behind_seen = false;

private:
    void note(Outcome outcome) {
        switch (outcome) {
            case Outcome::need_more: SPILLWAY_ASSERT(parser.status() == 0); return;
            case Outcome::head_complete_expecting_continue:
                SPILLWAY_ASSERT(parser.head_complete() && parser.request().expect_continue);
                ++continues;
                return;
            case Outcome::complete:
                SPILLWAY_ASSERT(parser.head_complete() && !parser.idle());
                log.append(describe(parser.request()));
                ended = parser.request().upgrade;
                if (!ended) {
                    parser.next();
                    SPILLWAY_ASSERT(parser.idle());
                }
                return;
            case Outcome::error:
                SPILLWAY_ASSERT(parser.status() >= 400 && !parser.reason().empty());
                log.append("error ")
                    .append(std::to_string(parser.status()))
                    .append(" ")
                    .append(parser.reason())
                    .append("\n");
                ended = failed = true;
                return;
        }
    }
};

}  // namespace spillway::http::test
