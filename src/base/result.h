// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A value or the reason there is none. Used on cold paths; hot paths return enums.
#pragma once

#include <expected>
#include <string>

namespace spillway::base {

/// E defaults to a sentence meant for a person.
template <class T, class E = std::string>
using Result = std::expected<T, E>;

/// Makes a Result's failure: `return base::fail("port 6001 is in use");`
template <class E>
[[nodiscard]] constexpr std::unexpected<std::decay_t<E>> fail(E&& error) {
    return std::unexpected<std::decay_t<E>>(std::forward<E>(error));
}
inline std::unexpected<std::string> fail(const char* sentence) { return std::unexpected<std::string>(sentence); }

}  // namespace spillway::base
