// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Scenarios by name: flags that were thought about once. A flag on the command line beats the scenario's.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace spillway::load {

struct NamedScenario {
    std::string_view name;
    std::string_view about;
    std::string_view flags;  // as on the command line, separated by single spaces
};

[[nodiscard]] std::span<const NamedScenario> named_scenarios();

/// Nothing: there is none of that name.
[[nodiscard]] const NamedScenario* find_scenario(std::string_view name);

/// One line each, for --list.
[[nodiscard]] std::string list_text();

}  // namespace spillway::load
