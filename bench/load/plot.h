// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Latency percentiles as a picture, one SVG, nothing to install.
#pragma once

#include <string>
#include <vector>

#include "outcome.h"

namespace spillway::load {

/// `x_title` says what x is, with its unit; latencies are in milliseconds on a logarithmic axis. Points that are not finite
/// are left out.
[[nodiscard]] std::string plot_svg(const std::string& title, const std::string& x_title,
                                   const std::vector<Point>& points);

/// False when the file cannot be written.
bool write_plot(const std::string& file, const Outcome& outcome);

}  // namespace spillway::load
