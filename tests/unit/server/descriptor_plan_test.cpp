// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/descriptor_plan.h"

#include <catch2/catch_test_macros.hpp>

using namespace spillway::server;

TEST_CASE("clients get what the descriptor limit leaves behind the reserve and the API's share") {
    CHECK(plan_descriptors(1024, 1).clients == 1024 - 64 - 8 - 102);
    CHECK(plan_descriptors(1024, 1).api == 102);
    CHECK(plan_descriptors(1'048'576, 4).clients == 1'048'576 - 64 - 32 - 1024);
    CHECK(plan_descriptors(1'048'576, 4).api == 1024);
}

TEST_CASE("every plan fits under its limit, however small") {
    for (std::uint64_t limit = 4; limit < 3000; ++limit)
        for (const std::size_t cores : {1U, 2U, 16U, 128U}) {
            const DescriptorPlan plan = plan_descriptors(limit, cores);
            CHECK(plan.connections <= limit);
            CHECK(plan.clients >= 1);
            CHECK(plan.api >= 1);
            CHECK(plan.clients + plan.api == plan.connections);
        }
}
