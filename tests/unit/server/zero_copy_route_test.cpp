// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/zero_copy_route.h"

#include <catch2/catch_test_macros.hpp>

namespace spillway::server {
namespace {

constexpr unsigned kWindow = ZeroCopyRoute::kWindow;
constexpr base::Instant kStart{std::chrono::hours(1)};
constexpr base::Instant kLater = kStart + ZeroCopyRoute::kLookAgain;

unsigned sends_until_told(ZeroCopyRoute& route, base::Instant now) {
    unsigned sent = 0;
    for (; sent < 1000 && route.may_send(now); ++sent) route.sent();
    return sent;
}

}  // namespace

TEST_CASE("a few sends without a copy are tried; without a report there are no more") {
    ZeroCopyRoute route;
    CHECK(sends_until_told(route, kStart) == kWindow);
    CHECK_FALSE(route.off());
    route.unreported();  // its connection broke: another is tried in its place
    CHECK(sends_until_told(route, kStart) == 1);
}

TEST_CASE("a route is off when the kernel copied, and tried again later") {
    ZeroCopyRoute route;
    sends_until_told(route, kStart);
    for (unsigned i = 0; i < kWindow; ++i) route.reported(true, kStart);
    CHECK(route.off());
    CHECK_FALSE(route.may_send(kLater - base::Duration(1)));
    CHECK(sends_until_told(route, kLater) == kWindow);
}

TEST_CASE("a route whose sends are not copied stays in use, until most of them are") {
    ZeroCopyRoute route;
    sends_until_told(route, kStart);
    for (unsigned i = 0; i < 10 * kWindow; ++i) route.reported(i % 2 == 0, kStart);
    CHECK(sends_until_told(route, kStart) == 1000);
    for (unsigned i = 0; i < kWindow; ++i) route.reported(i % 4 != 0, kStart);
    CHECK_FALSE(route.may_send(kStart));
}

TEST_CASE("a refused send turns a route off at once") {
    ZeroCopyRoute route;
    route.refused(kStart);
    CHECK_FALSE(route.may_send(kStart));
    route.reported(false, kStart);  // of one that was under way
    CHECK_FALSE(route.may_send(kStart));
    CHECK(route.may_send(kLater));
}

}  // namespace spillway::server
