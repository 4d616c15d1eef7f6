// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/head_scanner.h"

#include <algorithm>

namespace spillway::http {
namespace {

/// The longest method any registry knows has 17 letters.
constexpr std::size_t kMethodBytesMax = 32;
constexpr std::string_view kVersionPrefix = "HTTP/";

constexpr std::array<bool, 256> token_table() {  // RFC 9110 section 5.6.2
    std::array<bool, 256> table{};
    for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
    for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
    for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
    for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
    return table;
}
constexpr std::array<bool, 256> kToken = token_table();

/// Bytes that end neither a target nor a header value, and are wrong in neither.
constexpr std::array<bool, 256> plain_table() {
    std::array<bool, 256> table{};
    for (std::size_t c = 0x21; c <= 0x7E; ++c) table[c] = c != '#';
    return table;
}
constexpr std::array<bool, 256> kPlain = plain_table();

constexpr bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

}  // namespace

HeadScanner::Verdict HeadScanner::scan(std::string_view in, std::size_t& taken) {
    taken = 0;
    Verdict verdict = state_ == State::failed ? Verdict::bad : Verdict::more;
    while (verdict == Verdict::more && taken < in.size()) {
        if (const std::size_t run = plain_run(in.substr(taken)); run > 0) {
            taken += run;
            bytes_ += run;
            in_part_ += run;
            continue;
        }
        verdict = step(static_cast<unsigned char>(in[taken]));
        ++taken;
    }
    return verdict;
}

/// How many bytes at the front step() would only count, within the limit: most of a head, so worth a loop of their own.
std::size_t HeadScanner::plain_run(std::string_view in) const {
    if (state_ != State::target && state_ != State::field_value) return 0;
    const std::size_t within_limit = std::min(in.size(), header_bytes_max_ - bytes_);
    std::size_t run = 0;
    while (run < within_limit && kPlain[static_cast<unsigned char>(in[run])]) ++run;
    return run;
}

HeadScanner::Verdict HeadScanner::step(unsigned char c) {
    const bool line_begins = state_ == State::start || state_ == State::field_start;
    const bool of_empty_line = state_ == State::empty_line_lf || state_ == State::head_lf || (line_begins && c == '\r');
    if (!of_empty_line && ++bytes_ > header_bytes_max_) {
        if (state_ < State::field_start) return fail(414, "the request line is too long");
        return fail(431, "the request head is too large");
    }
    switch (state_) {
        case State::start: return on_start(c);
        case State::empty_line_lf: return on_line_feed(c, State::start, Verdict::skip);
        case State::method: return on_method(c);
        case State::target: return on_target(c);
        case State::version: return on_version(c);
        case State::request_line_cr:
            if (c != '\r') return fail(400, "malformed request line");
            return go_on(State::request_line_lf);
        case State::request_line_lf: return on_line_feed(c, State::field_start, Verdict::line_end);
        case State::field_start: return on_field_start(c);
        case State::field_name: return on_field_name(c);
        case State::field_value: return on_field_value(c);
        case State::field_lf: return on_line_feed(c, State::field_start, Verdict::line_end);
        case State::head_lf: return on_line_feed(c, State::done, Verdict::head_end);
        case State::done:
        case State::failed: break;
    }
    return fail(400, "bytes behind the head");
}

HeadScanner::Verdict HeadScanner::on_start(unsigned char c) {
    if (c == '\r') {
        if (empty_line_seen_) return fail(400, "more than one empty line before the request");
        empty_line_seen_ = true;
        return go_on(State::empty_line_lf);
    }
    if (c == 0x16) return fail(400, "this port does not speak TLS");
    if (!kToken[c]) return fail(400, "not an HTTP request");
    in_part_ = 0;
    return on_method(c);
}

HeadScanner::Verdict HeadScanner::on_method(unsigned char c) {
    if (c == ' ') {
        if (std::string_view(part_.data(), in_part_ < part_.size() ? in_part_ : part_.size()) == "PRI") {
            return fail(505, "this port does not speak HTTP/2");
        }
        in_part_ = 0;
        return go_on(State::target);
    }
    if (!kToken[c]) return fail(400, "malformed method");
    if (in_part_ < part_.size()) part_[in_part_] = static_cast<char>(c);
    if (++in_part_ > kMethodBytesMax) return fail(501, "unknown method");
    return go_on(State::method);
}

HeadScanner::Verdict HeadScanner::on_target(unsigned char c) {
    if (c == ' ') {
        if (in_part_ == 0) return fail(400, "empty request target");
        in_part_ = 0;
        return go_on(State::version);
    }
    if (c < 0x21 || c > 0x7E || c == '#') return fail(400, "malformed request target");
    ++in_part_;
    return Verdict::more;
}

HeadScanner::Verdict HeadScanner::on_version(unsigned char c) {
    part_[in_part_] = static_cast<char>(c);
    const bool fits = in_part_ < kVersionPrefix.size() ? c == static_cast<unsigned char>(kVersionPrefix[in_part_])
                      : in_part_ == 6                  ? c == '.'
                                                       : is_digit(c);
    if (!fits) return fail(400, "malformed HTTP version");
    if (++in_part_ < part_.size()) return Verdict::more;
    if (part_[5] != '1' || part_[7] > '1') return fail(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    return go_on(State::request_line_cr);
}

HeadScanner::Verdict HeadScanner::on_field_start(unsigned char c) {
    if (c == '\r') return go_on(State::head_lf);
    if (c == ' ' || c == '\t') return fail(400, "folded or indented header line");
    if (++headers_ > headers_max_) return fail(431, "too many headers");
    if (c == ':') return fail(400, "empty header name");
    return on_field_name(c);
}

HeadScanner::Verdict HeadScanner::on_field_name(unsigned char c) {
    if (c == ':') return go_on(State::field_value);
    if (!kToken[c]) return fail(400, "malformed header name");
    return go_on(State::field_name);
}

HeadScanner::Verdict HeadScanner::on_field_value(unsigned char c) {
    if (c == '\r') return go_on(State::field_lf);
    if ((c < 0x20 && c != '\t') || c == 0x7F) return fail(400, "control byte in a header value");
    return Verdict::more;
}

HeadScanner::Verdict HeadScanner::on_line_feed(unsigned char c, State next, Verdict verdict) {
    if (c != '\n') return fail(400, "carriage return without line feed");
    state_ = next;
    return verdict;
}

HeadScanner::Verdict HeadScanner::fail(int status, std::string_view reason) {
    state_ = State::failed;
    status_ = status;
    reason_ = reason;
    return Verdict::bad;
}

}  // namespace spillway::http
