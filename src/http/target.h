// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A request target taken apart: decoded path segments for routing, decoded parameters in their order for the API and
// for its signatures. Decoding is strict, because a lenient reading is a second reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::http {

/// Query parameters of one request.
inline constexpr std::size_t kParametersMax = 100;
/// Path segments of one request; the longest route has six.
inline constexpr std::size_t kSegmentsMax = 32;

/// One decoded `key=value`; array members keep their brackets in the key ("channels[]").
struct Parameter {
    std::string_view key;
    std::string_view value;
};

enum class TargetError : std::uint8_t {
    none,
    bad_escape,  // '%' without two hex digits behind it, or %00
    bad_path,    // does not begin with '/'
    too_many_parameters,
    too_many_segments,
};
[[nodiscard]] std::string_view to_string(TargetError error) noexcept;

/// Reusable: parse() keeps the storage of the time before. The views it gives out live until the next parse().
class Target {
public:
    Target() = default;
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;

    /// `path` and `query` as in Request. On error everything is empty. Segments: "/apps/1/" has "apps", "1", "";
    /// "/" has one empty segment. In the query '+' is a blank, a key without '=' has an empty value, and empty
    /// pairs ("&&") do not count.
    [[nodiscard]] TargetError parse(std::string_view path, std::string_view query);

    [[nodiscard]] std::span<const std::string_view> segments() const noexcept { return segments_; }
    /// In the order of the query.
    [[nodiscard]] std::span<const Parameter> parameters() const noexcept { return parameters_; }

    /// The first value of this key (case matters), and how many there are.
    [[nodiscard]] std::optional<std::string_view> parameter(std::string_view key) const noexcept;
    [[nodiscard]] std::size_t parameter_count(std::string_view key) const noexcept;
    /// Every value of this key in order: `all("channels[]")`.
    [[nodiscard]] std::vector<std::string_view> all(std::string_view key) const;

private:
    TargetError parse_path(std::string_view path);
    TargetError parse_query(std::string_view query);

    std::string decoded_;  // every segment, key and value; reserved before the first view is made
    std::vector<std::string_view> segments_;
    std::vector<Parameter> parameters_;
};

/// Appends `text` decoded to `out`. False, with `out` as it was, for '%' without two hex digits and for %00.
[[nodiscard]] bool percent_decode(std::string_view text, bool plus_is_blank, std::string& out);

}  // namespace spillway::http
