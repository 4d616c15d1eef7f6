// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What came out, for people and for scripts.
#pragma once

#include <string>
#include <vector>

#include "outcome.h"

namespace spillway::load {

void print(const Outcome& outcome);
void print(const IdleOutcome& outcome);
void print(const ConnectOutcome& outcome);
void print(const LoneOutcome& outcome);

/// Writes JSON, an array for the outcomes; false when the file cannot be written.
bool write_json(const std::string& file, const std::vector<Outcome>& outcomes);
bool write_json(const std::string& file, const IdleOutcome& outcome);
bool write_json(const std::string& file, const ConnectOutcome& outcome);
bool write_json(const std::string& file, const LoneOutcome& outcome);

}  // namespace spillway::load
