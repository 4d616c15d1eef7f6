// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One event as one line, for people (plain) or for programs (JSON).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace spillway::client {

enum class LineForm : std::uint8_t { plain, json };

struct Event {
    std::string_view channel = {};
    std::string_view name = {};  // empty: a feed does not tell
    std::string_view data = {};
    bool data_is_json = false;      // `data` is JSON text, not a string's content
    std::string_view user_id = {};  // empty = none
};

/// Appends a line. Plain: time, channel, event ("-" if not told) and data, with one blank between; control characters and the
/// backslash as \n or \xNN, in channel and event the blank, too. JSON: {"time","channel","event","data","user_id"}.
void append_line(std::string& out, LineForm form, std::int64_t unix_milliseconds, const Event& event);

/// Appends what tells that nothing was heard for so long, because there was no connection.
void append_gap(std::string& out, LineForm form, std::int64_t unix_milliseconds, std::chrono::milliseconds gap);

/// "2026-01-31T09:05:07.040Z"
void append_time(std::string& out, std::int64_t unix_milliseconds);

/// Text of a peer that cannot drive a terminal: UTF-8 stays, control characters (C0, DEL, C1) and the backslash do not.
void append_harmless(std::string& out, std::string_view text);

}  // namespace spillway::client
