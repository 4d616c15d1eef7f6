// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/target.h"

namespace spillway::http {
namespace {

constexpr int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Takes the text up to the separator off the front; the separator goes too.
std::string_view take_until(std::string_view& text, char separator) {
    const auto at = text.find(separator);
    const std::string_view part = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    return part;
}

/// Decodes to the end of `storage`, which has room, and returns the view of what was added.
std::optional<std::string_view> decode_into(std::string& storage, std::string_view text, bool plus_is_blank) {
    const std::size_t begin = storage.size();
    if (!percent_decode(text, plus_is_blank, storage)) return std::nullopt;
    return std::string_view(storage).substr(begin);
}

}  // namespace

std::string_view to_string(TargetError error) noexcept {
    switch (error) {
        case TargetError::none: return "no error";
        case TargetError::bad_escape: return "malformed percent-encoding in the request target";
        case TargetError::bad_path: return "malformed path in the request target";
        case TargetError::too_many_parameters: return "too many query parameters";
        case TargetError::too_many_segments: return "too many path segments";
    }
    return "unknown error";
}

bool percent_decode(std::string_view text, bool plus_is_blank, std::string& out) {
    const std::size_t begin = out.size();
    const auto special = [plus_is_blank](char c) { return c == '%' || (c == '+' && plus_is_blank); };
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t plain_end = at;
        while (plain_end < text.size() && !special(text[plain_end])) ++plain_end;
        out.append(text, at, plain_end - at);
        at = plain_end;
        if (at == text.size()) break;
        if (text[at] == '+') {
            out.push_back(' ');
            ++at;
            continue;
        }
        const int high = at + 2 < text.size() ? hex_value(text[at + 1]) : -1;
        const int low = at + 2 < text.size() ? hex_value(text[at + 2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0)) {
            out.resize(begin);
            return false;
        }
        out.push_back(static_cast<char>(high * 16 + low));
        at += 3;
    }
    return true;
}

TargetError Target::parse(std::string_view path, std::string_view query) {
    decoded_.clear();
    segments_.clear();
    parameters_.clear();
    decoded_.reserve(path.size() + query.size());  // decoding never lengthens, so no view is moved under
    TargetError error = parse_path(path);
    if (error == TargetError::none) error = parse_query(query);
    if (error != TargetError::none) {
        segments_.clear();
        parameters_.clear();
    }
    return error;
}

TargetError Target::parse_path(std::string_view path) {
    if (path.empty() || path.front() != '/') return TargetError::bad_path;
    path.remove_prefix(1);
    while (true) {
        const bool last = path.find('/') == std::string_view::npos;
        const auto segment = decode_into(decoded_, take_until(path, '/'), false);
        if (!segment) return TargetError::bad_escape;
        if (segments_.size() == kSegmentsMax) return TargetError::too_many_segments;
        segments_.push_back(*segment);
        if (last) return TargetError::none;
    }
}

TargetError Target::parse_query(std::string_view query) {
    while (!query.empty()) {
        std::string_view pair = take_until(query, '&');
        if (pair.empty()) continue;
        if (parameters_.size() == kParametersMax) return TargetError::too_many_parameters;
        const auto key = decode_into(decoded_, take_until(pair, '='), true);
        if (!key) return TargetError::bad_escape;
        const auto value = decode_into(decoded_, pair, true);
        if (!value) return TargetError::bad_escape;
        parameters_.push_back({*key, *value});
    }
    return TargetError::none;
}

std::optional<std::string_view> Target::parameter(std::string_view key) const noexcept {
    for (const Parameter& parameter : parameters_) {
        if (parameter.key == key) return parameter.value;
    }
    return std::nullopt;
}

std::size_t Target::parameter_count(std::string_view key) const noexcept {
    std::size_t count = 0;
    for (const Parameter& parameter : parameters_) count += parameter.key == key ? 1 : 0;
    return count;
}

std::vector<std::string_view> Target::all(std::string_view key) const {
    std::vector<std::string_view> values;
    for (const Parameter& parameter : parameters_) {
        if (parameter.key == key) values.push_back(parameter.value);
    }
    return values;
}

}  // namespace spillway::http
