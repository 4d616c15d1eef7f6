// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/address_book.h"

#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "base/address_text.h"

using namespace spillway;
using namespace spillway::server;
using Verdict = AddressBook::Verdict;

namespace {
Address at(std::string_view text) { return limited_as(base::parse_address(text).value()); }
}  // namespace

TEST_CASE("S4 C6 an address has as many clients as the limit says, and another one as many again") {
    AddressBook book;
    std::vector<std::uint32_t> places;
    for (int i = 0; i < 3; ++i) {
        const auto entered = book.enter(at("192.0.2.1"), {3, 0}, 0);
        REQUIRE(entered.verdict == Verdict::admitted);
        places.push_back(entered.place);
    }
    CHECK(book.enter(at("192.0.2.1"), {3, 0}, 0).verdict == Verdict::too_many);
    CHECK(book.enter(at("192.0.2.2"), {3, 0}, 0).verdict == Verdict::admitted);
    book.leave(places[0]);
    CHECK(book.enter(at("192.0.2.1"), {3, 0}, 0).verdict == Verdict::admitted);
    CHECK(book.enter(at("192.0.2.1"), {3, 0}, 0).verdict == Verdict::too_many);
    CHECK(book.clients() == 4);
}

TEST_CASE("IPv6 addresses of one /64 count as one, IPv4 addresses each for itself") {
    AddressBook book;
    CHECK(book.enter(at("2001:db8:1:2::1"), {1, 0}, 0).verdict == Verdict::admitted);
    CHECK(book.enter(at("2001:db8:1:2:ffff::9"), {1, 0}, 0).verdict == Verdict::too_many);
    CHECK(book.enter(at("2001:db8:1:3::1"), {1, 0}, 0).verdict == Verdict::admitted);
    CHECK(book.enter(at("192.0.2.1"), {1, 0}, 0).verdict == Verdict::admitted);
    CHECK(book.enter(at("::ffff:192.0.2.2"), {1, 0}, 0).verdict == Verdict::admitted);
}

TEST_CASE("R13 the connect rate of an address lets a second's worth pass at once, then so many a second") {
    AddressBook book;
    const AddressBook::Limits limits{0, 5};
    int admitted = 0;
    for (int i = 0; i < 20; ++i) admitted += book.enter(at("192.0.2.1"), limits, 1000).verdict == Verdict::admitted;
    CHECK(admitted == 5);
    CHECK(book.enter(at("192.0.2.1"), limits, 1199).verdict == Verdict::too_fast);
    CHECK(book.enter(at("192.0.2.1"), limits, 1200).verdict == Verdict::admitted);
    CHECK(book.enter(at("192.0.2.9"), limits, 1200).verdict == Verdict::admitted);
}

TEST_CASE("addresses without clients are forgotten, and not before their rate means nothing any more") {
    AddressBook book;
    std::vector<std::uint32_t> places;
    for (unsigned i = 0; i < 1000; ++i) {
        Address address = at("192.0.0.0");
        address.bytes[14] = static_cast<std::uint8_t>(i >> 8);
        address.bytes[15] = static_cast<std::uint8_t>(i);
        places.push_back(book.enter(address, {1, 1}, 1000).place);
    }
    for (std::size_t i = 1; i < places.size(); ++i) book.leave(places[i]);
    for (int i = 0; i < 10; ++i) book.sweep(1999);
    CHECK(book.size() == 1000);
    for (int i = 0; i < 10; ++i) book.sweep(2000);
    CHECK(book.size() == 1);
    CHECK(book.clients() == 1);
    const std::size_t before = book.memory_bytes();
    for (int round = 0; round < 100; ++round) {
        book.leave(book.enter(at("198.51.100.1"), {1, 0}, 3000 + 2000U * static_cast<unsigned>(round)).place);
        for (int i = 0; i < 10; ++i) book.sweep(3000 + 2000U * static_cast<unsigned>(round) + 1000);
    }
    CHECK(book.memory_bytes() <= before);
}
