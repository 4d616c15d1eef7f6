// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/take_over_message.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "base/format.h"

namespace spillway::server {
namespace {

using base::append;

constexpr std::string_view kLanguage = "spillway-take-over ";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kSteps[] = {"ask", "offer", "ready", "go", "refused"};
constexpr std::string_view kUses[] = {"main", "metrics", "local", "successor"};
constexpr std::string_view kUnknownUse = "unknown";

template <class E, std::size_t N>
std::optional<E> named(const std::string_view (&names)[N], std::string_view name) {
    const auto found = std::ranges::find(names, name);
    if (found == std::end(names)) return std::nullopt;
    return static_cast<E>(found - std::begin(names));
}

bool printable(char c) { return c >= ' ' && c <= '~'; }

void append_value(std::string& text, std::string_view key, std::string_view value) {
    if (value.empty()) return;
    append(text, key, ": ");
    for (const char c : value.substr(0, kTakeOverValueMax)) text += printable(c) ? c : '?';
    text += '\n';
}

/// The text up to the separator, taken off the front together with it.
std::string_view take_to(std::string_view& text, char separator) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view front = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return front;
}

void read_uses(std::vector<std::optional<SocketUse>>& uses, std::string_view value) {
    while (!value.empty()) uses.push_back(named<SocketUse>(kUses, take_to(value, ' ')));
}

/// False for a value that makes no sense. Keys that are not known pass.
bool read_value(TakeOverMessage& message, std::string_view key, std::string_view value) {
    const bool text = value.size() <= kTakeOverValueMax && std::ranges::all_of(value, printable);
    if (key == "sockets") {
        read_uses(message.sockets, value);
        return true;
    }
    if (key == "pid") {
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), message.pid);
        return error == std::errc{} && end == value.data() + value.size();
    }
    if (key == "version") message.version = value;
    else if (key == "local-path") message.local_path = value;
    else if (key == "reason") message.reason = value;
    else if (key == "draining") message.draining = value == "yes";
    else return true;
    return text;
}

}  // namespace

bool TakeOverMessage::names(SocketUse use) const {
    return std::ranges::find(sockets, std::optional(use)) != sockets.end();
}

std::string encode(const TakeOverMessage& message) {
    std::string text;
    append(text, kLanguage, kVersion, "\nstep: ", kSteps[static_cast<std::size_t>(message.step)], "\n");
    if (!message.sockets.empty()) {
        text += "sockets:";
        for (const auto& use : message.sockets)
            append(text, ' ', use ? kUses[static_cast<std::size_t>(*use)] : kUnknownUse);
        text += '\n';
    }
    if (message.pid != 0) append(text, "pid: ", message.pid, "\n");
    append_value(text, "version", message.version);
    append_value(text, "local-path", message.local_path);
    if (message.draining) text += "draining: yes\n";
    append_value(text, "reason", message.reason);
    return text;
}

base::Result<TakeOverMessage> decode_take_over(std::string_view text) {
    if (text.size() > kTakeOverMessageMax) return base::fail("it is too long");
    if (!text.starts_with(kLanguage)) return base::fail("it is no message about taking over");
    text.remove_prefix(kLanguage.size());
    if (take_to(text, '\n') != kVersion) return base::fail("it is in another version of the language of taking over");
    TakeOverMessage message;
    bool has_step = false;
    while (!text.empty()) {
        std::string_view line = take_to(text, '\n');
        const std::string_view key = take_to(line, ':');
        if (line.starts_with(' ')) line.remove_prefix(1);
        if (key == "step") {
            const auto step = named<TakeOverStep>(kSteps, line);
            if (!step) return base::fail("it is a step that is not known");
            message.step = *step;
            has_step = true;
        } else if (!read_value(message, key, line)) {
            return base::fail("a value in it makes no sense");
        }
    }
    if (!has_step) return base::fail("it has no step");
    return message;
}

}  // namespace spillway::server
