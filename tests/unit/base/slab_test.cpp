// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/slab.h"

#include <deque>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "poisoned.h"

using spillway::base::Slab;

namespace {

struct Counted {
    static inline int alive = 0;
    std::uint64_t value = 42;
    Counted() noexcept { ++alive; }
    ~Counted() { --alive; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
};

/// Releases another slot from its destructor and looks itself up there.
struct Owner {
    Slab<Owner>* slab = nullptr;
    std::uint32_t self = 0;
    std::uint32_t generation = 0;
    std::uint32_t owned = UINT32_MAX;
    static inline bool found_itself = false;
    ~Owner() {
        if (slab == nullptr) return;
        if (slab->find(self, generation) != nullptr) found_itself = true;
        if (owned != UINT32_MAX) slab->release(owned);
    }
};

}  // namespace

TEST_CASE("slots are handed out in order, then refused at capacity", "[base][slab]") {
    Slab<Counted> slab(3);
    CHECK(slab.acquire() == 0U);
    CHECK(slab.acquire() == 1U);
    CHECK(slab.acquire() == 2U);
    CHECK_FALSE(slab.acquire());
    CHECK(slab.size() == 3);
    CHECK(Counted::alive == 3);
    slab.release(1);
    CHECK(slab.acquire() == 1U);
    CHECK_FALSE(slab.acquire());
}

TEST_CASE("a slab of capacity zero holds nothing", "[base][slab]") {
    Slab<Counted> slab(0);
    CHECK_FALSE(slab.acquire());
    CHECK(slab.find(0, 1) == nullptr);
}

TEST_CASE("freed slots come back oldest first and before fresh ones", "[base][slab]") {
    Slab<Counted> slab(100);
    for (int i = 0; i < 5; ++i) (void)slab.acquire();
    slab.release(3);
    slab.release(0);
    slab.release(4);
    CHECK(slab.acquire() == 3U);
    CHECK(slab.acquire() == 0U);
    CHECK(slab.acquire() == 4U);
    CHECK(slab.acquire() == 5U);
}

TEST_CASE("a stale name finds nothing, the current one its object", "[base][slab]") {
    Slab<Counted> slab(10);
    const std::uint32_t slot = *slab.acquire();
    CHECK(slab.generation(slot) == 1);
    slab[slot].value = 7;
    REQUIRE(slab.find(slot, 1) == &slab[slot]);
    slab.release(slot);
    CHECK(slab.find(slot, 1) == nullptr);
    CHECK(slab.find(slot, 2) == nullptr);
    CHECK(slab.generation(slot) == 2);
    CHECK(slab.acquire() == slot);
    CHECK(slab.find(slot, 1) == nullptr);
    REQUIRE(slab.find(slot, 2) != nullptr);
    CHECK(slab.find(slot, 2)->value == 42);
    CHECK(slab.find(slot, 0) == nullptr);
    CHECK(slab.find(slot, 2 | 0x1000000) == nullptr);
    CHECK(slab.find(slot + 1, 1) == nullptr);
    CHECK(slab.find(UINT32_MAX, 1) == nullptr);
}

TEST_CASE("whoever reads a slot that was freed is caught", "[base][slab][hardening]") {
    if (!spillway::test::kFreedIsFilled) SKIP("release builds do not fill freed memory");
    Slab<Counted> slab(2);
    const auto slot = slab.acquire();
    REQUIRE(slot);
    const Counted* object = &slab[*slot];
    CHECK_FALSE(spillway::test::read_is_caught(object, 0));
    slab.release(*slot);
    CHECK(spillway::test::read_is_caught(object, 0));
    CHECK(spillway::test::read_is_caught(object, sizeof(Counted) - 1));
}

TEST_CASE("generations wrap past 2^24 without ever being zero", "[base][slab]") {
    Slab<std::uint8_t> slab(1);
    std::uint32_t last = 0;
    for (std::uint32_t i = 0; i < 0xFFFFFF; ++i) {
        last = slab.generation(*slab.acquire());
        if (last != i + 1) FAIL("generation " << last << " in life " << i + 1);
        slab.release(0);
    }
    CHECK(last == 0xFFFFFF);
    CHECK(slab.acquire() == 0U);
    CHECK(slab.generation(0) == 1);
    CHECK(slab.find(0, 0) == nullptr);
    CHECK(slab.find(0, 1) != nullptr);
}

TEST_CASE("addresses stay while the slab grows, aligned to a cache line where a chunk begins", "[base][slab]") {
    Slab<Counted> slab(3 * 1024);
    std::vector<Counted*> addresses;
    for (std::uint32_t i = 0; i < 3 * 1024; ++i) addresses.push_back(&slab[*slab.acquire()]);
    for (std::uint32_t i = 0; i < 3 * 1024; ++i) REQUIRE(&slab[i] == addresses[i]);
    for (std::uint32_t i = 0; i < 3 * 1024; i += 1024) CHECK(reinterpret_cast<std::uintptr_t>(addresses[i]) % 64 == 0);
    CHECK_FALSE(slab.acquire());
}

TEST_CASE("what still lives is destroyed with the slab", "[base][slab]") {
    {
        Slab<Counted> slab(5000);
        for (int i = 0; i < 2000; ++i) (void)slab.acquire();
        slab.release(17);
        CHECK(Counted::alive == 1999);
    }
    CHECK(Counted::alive == 0);
}

TEST_CASE("a destructor may release another slot and finds itself gone", "[base][slab]") {
    Slab<Owner> slab(10);
    const std::uint32_t a = *slab.acquire();
    const std::uint32_t b = *slab.acquire();
    slab[a].slab = &slab;
    slab[a].self = a;
    slab[a].generation = slab.generation(a);
    slab[a].owned = b;
    slab.release(a);
    CHECK(slab.size() == 0);
    CHECK_FALSE(Owner::found_itself);
    CHECK(slab.acquire() == b);
    CHECK(slab.acquire() == a);
}

TEST_CASE("for_each may release what it sees", "[base][slab]") {
    Slab<Counted> slab(2000);
    for (int i = 0; i < 1500; ++i) (void)slab.acquire();
    std::size_t seen = 0;
    slab.for_each([&](std::uint32_t slot, Counted&) {
        ++seen;
        slab.release(slot);
    });
    CHECK(seen == 1500);
    CHECK(slab.size() == 0);
    slab.for_each([&](std::uint32_t, Counted&) { FAIL("nothing lives"); });
}

TEST_CASE("a slab agrees with a model over random lives", "[base][slab]") {
    std::mt19937 random(12345);
    constexpr std::size_t kCapacity = 2500;
    Slab<Counted> slab(kCapacity);
    std::map<std::uint32_t, std::pair<std::uint32_t, std::uint64_t>> live;  // slot -> generation, value
    std::deque<std::uint32_t> freed;
    std::map<std::uint32_t, std::uint32_t> lives;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> gone;
    std::uint32_t fresh = 0;
    unsigned bias = 60;
    for (std::uint64_t step = 0; step < 60'000; ++step) {
        if (step % 5'000 == 0) bias = 30 + static_cast<unsigned>(random() % 60);
        if (random() % 100 < bias) {
            const auto slot = slab.acquire();
            if (live.size() == kCapacity) {
                REQUIRE_FALSE(slot);
                continue;
            }
            REQUIRE(slot);
            REQUIRE(*slot == (freed.empty() ? fresh : freed.front()));
            if (freed.empty()) {
                ++fresh;
            } else {
                freed.pop_front();
            }
            REQUIRE(slab.generation(*slot) == ++lives[*slot]);
            slab[*slot].value = step;
            live[*slot] = {lives[*slot], step};
        } else if (!live.empty()) {
            auto it = live.lower_bound(static_cast<std::uint32_t>(random() % kCapacity));
            if (it == live.end()) it = live.begin();
            REQUIRE(slab.find(it->first, it->second.first)->value == it->second.second);
            gone.emplace_back(it->first, it->second.first);
            freed.push_back(it->first);
            slab.release(it->first);
            live.erase(it);
        }
        REQUIRE(slab.size() == live.size());
        if (!gone.empty()) {
            const auto& name = gone[random() % gone.size()];
            REQUIRE(slab.find(name.first, name.second) == nullptr);
        }
    }
    std::set<std::uint32_t> walked;
    slab.for_each([&](std::uint32_t slot, Counted& object) {
        CHECK(live.at(slot).second == object.value);
        walked.insert(slot);
    });
    CHECK(walked.size() == live.size());
}
