// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Walks over a request head byte by byte, ahead of the parser: finds line ends, counts against the limits, and refuses
// at once what the parser would only refuse later, or would read in one of several ways. It judges each byte when
// it comes, so however a head is cut into pieces, the verdict is the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spillway::http {

class HeadScanner {
public:
    enum class Verdict : std::uint8_t {
        more,      // the bytes given were fine; the line goes on
        line_end,  // request line or field line complete, CRLF included
        head_end,  // the empty line behind the head is complete
        skip,      // the one empty line tolerated before a request: not part of it (RFC 9112 section 2.2)
        bad,       // status() and reason()
    };

    HeadScanner(std::size_t header_bytes_max, std::size_t headers_max)
        : header_bytes_max_(header_bytes_max), headers_max_(headers_max) {}

    /// Reads to the end of a line at most and says how far it got.
    Verdict scan(std::string_view in, std::size_t& taken);

    /// Nothing has been seen.
    [[nodiscard]] bool untouched() const noexcept { return state_ == State::start && !empty_line_seen_; }
    /// No byte of the request itself has been seen, at most an empty line before it.
    [[nodiscard]] bool before_request() const noexcept { return state_ <= State::empty_line_lf; }
    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] std::string_view reason() const noexcept { return reason_; }

private:
    enum class State : std::uint8_t {
        start,
        empty_line_lf,
        method,
        target,
        version,
        request_line_cr,
        request_line_lf,
        field_start,
        field_name,
        field_value,
        field_lf,
        head_lf,
        done,
        failed,
    };

    std::size_t plain_run(std::string_view in) const;
    Verdict step(unsigned char c);
    Verdict on_start(unsigned char c);
    Verdict on_method(unsigned char c);
    Verdict on_target(unsigned char c);
    Verdict on_version(unsigned char c);
    Verdict on_field_start(unsigned char c);
    Verdict on_field_name(unsigned char c);
    Verdict on_field_value(unsigned char c);
    Verdict on_line_feed(unsigned char c, State next, Verdict verdict);
    Verdict go_on(State state) {
        state_ = state;
        return Verdict::more;
    }
    Verdict fail(int status, std::string_view reason);

    std::size_t header_bytes_max_;
    std::size_t headers_max_;
    std::size_t bytes_ = 0;       // counted against header_bytes_max_
    std::size_t headers_ = 0;     // counted against headers_max_
    std::size_t in_part_ = 0;     // bytes of the method, target or version so far
    std::array<char, 8> part_{};  // the first of them
    State state_ = State::start;
    bool empty_line_seen_ = false;
    int status_ = 0;
    std::string_view reason_;
};

}  // namespace spillway::http
