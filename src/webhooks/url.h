// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A webhook's URL as an operator wrote it: may it be one, and how it may be shown. What it leads to is judged by address,
// when it is connected to.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace spillway::webhooks {

/// http or https, a host, perhaps a port; no blanks, no control characters, nothing but ASCII.
[[nodiscard]] base::Result<void> check_url(std::string_view url);

/// Scheme, host, port and path alone: user, password, query and fragment may be secrets.
[[nodiscard]] std::string shown_url(std::string_view url);

}  // namespace spillway::webhooks
