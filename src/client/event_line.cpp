// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/event_line.h"

#include "base/format.h"
#include "protocol/json_escape.h"

namespace spillway::client {
namespace {

using base::append;

void append_escaped(std::string& out, unsigned char byte) {
    out += "\\x";
    base::append_hex(out, byte);
}

void append_padded(std::string& out, std::uint64_t number, std::size_t digits) {
    const std::string text = base::concat(number);
    out.append(digits > text.size() ? digits - text.size() : 0, '0');
    out += text;
}

void append_word(std::string& out, std::string_view word) {
    if (word.empty()) out += '-';
    while (!word.empty()) {
        const std::size_t blank = word.find(' ');
        append_harmless(out, word.substr(0, blank));
        if (blank == std::string_view::npos) return;
        append_escaped(out, ' ');
        word.remove_prefix(blank + 1);
    }
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
    append(out, ",\"", name, "\":");
    protocol::append_json_string(out, text);
}

}  // namespace

void append_harmless(std::string& out, std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // C1 controls are C2 80 to C2 9F in UTF-8.
        const bool c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (text[i] == '\n') out += "\\n";
        else if (text[i] == '\\') out += "\\\\";
        else if (byte < 0x20 || byte == 0x7F) append_escaped(out, byte);
        else if (c1) {
            append_escaped(out, byte);
            append_escaped(out, static_cast<unsigned char>(text[++i]));
        } else out += text[i];
    }
}

void append_time(std::string& out, std::int64_t unix_milliseconds) {
    using namespace std::chrono;
    const sys_time<milliseconds> when{milliseconds(unix_milliseconds)};
    const auto day = floor<days>(when);
    const year_month_day date(day);
    const hh_mm_ss clock(when - day);
    append_padded(out, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.month()), 2);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.day()), 2);
    out += 'T';
    append_padded(out, static_cast<std::uint64_t>(clock.hours().count()), 2);
    out += ':';
    append_padded(out, static_cast<std::uint64_t>(clock.minutes().count()), 2);
    out += ':';
    append_padded(out, static_cast<std::uint64_t>(clock.seconds().count()), 2);
    out += '.';
    append_padded(out, static_cast<std::uint64_t>(clock.subseconds().count()), 3);
    out += 'Z';
}

void append_line(std::string& out, LineForm form, std::int64_t unix_milliseconds, const Event& event) {
    if (form == LineForm::plain) {
        append_time(out, unix_milliseconds);
        out += ' ';
        append_word(out, event.channel);
        out += ' ';
        append_word(out, event.name);
        out += ' ';
        append_harmless(out, event.data);
        out += '\n';
        return;
    }
    out += R"({"time":")";
    append_time(out, unix_milliseconds);
    out += '"';
    append_member(out, "channel", event.channel);
    if (!event.name.empty()) append_member(out, "event", event.name);
    if (event.data_is_json) {
        out += R"(,"data":)";
        const std::size_t begin = out.size();
        out += event.data;
        for (std::size_t i = begin; i < out.size(); ++i) {  // a line break in JSON text is white space
            if (out[i] == '\n' || out[i] == '\r') out[i] = ' ';
        }
    } else {
        append_member(out, "data", event.data);
    }
    if (!event.user_id.empty()) append_member(out, "user_id", event.user_id);
    out += "}\n";
}

void append_gap(std::string& out, LineForm form, std::int64_t unix_milliseconds, std::chrono::milliseconds gap) {
    std::string seconds;
    base::append_fixed(seconds, static_cast<double>(gap.count()) / 1000, 3);
    if (form == LineForm::json) out += R"({"time":")";
    append_time(out, unix_milliseconds);
    if (form == LineForm::json) append(out, R"(","gap":)", seconds, "}\n");
    else append(out, " - - gap: no connection for ", seconds, " s, what was sent meanwhile is lost\n");
}

}  // namespace spillway::client
