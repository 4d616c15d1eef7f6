// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Writing a JSON string: every event's data passes through here once, so it is ours, small, and tested against the
// library.
#pragma once

#include <string>
#include <string_view>

namespace spillway::protocol {

/// Appends `text` in quotes: quote, backslash and U+0000 to U+001F escaped, all other bytes as they are (so UTF-8 in is
/// UTF-8 out). The output is at most 6 times as long, plus the quotes.
void append_json_string(std::string& out, std::string_view text);

/// The same without the quotes, for a string that is put together from pieces.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace spillway::protocol
