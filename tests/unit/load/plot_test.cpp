// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "load/plot.h"

#include <limits>
#include <string>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::load;

TEST_CASE("a plot has a curve for each percentile and leaves out what is infinite") {
    const double never = std::numeric_limits<double>::infinity();
    const std::string svg = plot_svg("title", "seconds", {{0, 1, 2, 3}, {1, 1, 2, never}});
    CHECK(svg.starts_with("<svg"));
    CHECK(svg.find("</svg>") != std::string::npos);
    CHECK(svg.find("inf") == std::string::npos);
    CHECK(svg.find("nan") == std::string::npos);
    std::size_t curves = 0;
    for (std::size_t at = 0; (at = svg.find("<polyline", at)) != std::string::npos; ++at) ++curves;
    CHECK(curves == 3);
}

TEST_CASE("a plot of nothing is an empty picture") {
    const std::string svg = plot_svg("title", "seconds", {});
    CHECK(svg.find("nan") == std::string::npos);
}
