// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Any text as path and query, against a second reading of the same rules, written as plainly as can be: split first, decode
// then. What was read, written down with everything escaped, is read the same again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/target.h"
#include "property.h"

using namespace spillway::http;

namespace {

using spillway::fuzz::require;

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == separator) parts.emplace_back();
        else parts.back() += c;
    }
    return parts;
}

std::optional<std::string> decode(const std::string& text, bool plus_is_blank) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_blank) {
            plain += ' ';
        } else if (text[i] != '%') {
            plain += text[i];
        } else {
            const std::string digits = text.substr(i + 1, 2);
            if (digits.size() != 2 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
                return std::nullopt;
            plain += static_cast<char>(std::stoi(digits, nullptr, 16));
            if (plain.back() == '\0') return std::nullopt;
            i += 2;
        }
    }
    return plain;
}

struct Reading {
    bool sound = false;
    std::vector<std::string> segments;
    std::vector<std::pair<std::string, std::string>> parameters;
};

Reading read_plainly(std::string_view path, std::string_view query) {
    Reading reading;
    if (path.empty() || path.front() != '/') return reading;
    for (const std::string& part : split(path.substr(1), '/')) {
        const auto plain = decode(part, false);
        if (!plain) return reading;
        reading.segments.push_back(*plain);
    }
    for (const std::string& pair : split(query, '&')) {
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        const auto key = decode(pair.substr(0, equals), true);
        const auto value = decode(equals == pair.size() ? "" : pair.substr(equals + 1), true);
        if (!key || !value) return reading;
        reading.parameters.emplace_back(*key, *value);
    }
    reading.sound = reading.segments.size() <= kSegmentsMax && reading.parameters.size() <= kParametersMax;
    return reading;
}

std::string escaped(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789aBcDeF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte == 0) {  // %00 is refused; the HTTP parser refuses the byte itself
            out += c;
            continue;
        }
        out.append("%").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
    }
    return out;
}

bool same(const Target& target, const Reading& reading) {
    if (!std::ranges::equal(target.segments(), reading.segments)) return false;
    return std::ranges::equal(target.parameters(), reading.parameters, [](const Parameter& a, const auto& b) {
        return a.key == b.first && a.value == b.second;
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t mark = std::min(text.find('?'), text.size());
    const std::string_view path = text.substr(0, mark);
    const std::string_view query = mark == text.size() ? std::string_view{} : text.substr(mark + 1);

    static Target target;
    const Reading reading = read_plainly(path, query);
    const bool sound = target.parse(path, query) == TargetError::none;
    require(sound == reading.sound);
    if (!sound) {
        require(target.segments().empty() && target.parameters().empty());
        return 0;
    }
    require(same(target, reading));

    std::string path_again;
    for (const std::string& segment : reading.segments) path_again += "/" + escaped(segment);
    std::string query_again;
    for (const auto& [key, value] : reading.parameters) query_again += escaped(key) + "=" + escaped(value) + "&";
    require(target.parse(path_again, query_again) == TargetError::none && same(target, reading));
    for (const auto& [key, value] : reading.parameters) {
        require(target.parameter(key).has_value());
        require(target.all(key).size() == target.parameter_count(key));
    }
    return 0;
}
