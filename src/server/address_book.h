// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// How many clients each address has, and how fast it connects. Every address has one home core, whose book alone counts it:
// so limits are exact over all cores, without a lock. A network of IPv6 addresses that one subscriber gets (/64) counts as one.
//
// Thread: the core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include <spillway/address.h>

#include "protocol/rate_limit.h"

namespace spillway::server {

/// What the limits count as one.
[[nodiscard]] constexpr Address limited_as(const Address& address) {
    return address.is_v4() ? address : address.prefix(64);
}
[[nodiscard]] std::uint64_t address_hash(const Address& address);

class AddressBook {
public:
    enum class Verdict : std::uint8_t { admitted, too_many, too_fast };
    struct Limits {
        std::uint64_t clients = 0;     // 0 = none
        std::uint64_t per_second = 0;  // new ones; a second's worth at once; 0 = none
    };
    struct Entered {
        Verdict verdict = Verdict::admitted;
        std::uint32_t place = 0;  // admitted: to be given to leave() once
    };

    /// One more client of this address wants in. A refused one leaves no trace in the number, one that is too many none
    /// in the rate.
    [[nodiscard]] Entered enter(const Address& address, const Limits& limits, std::uint64_t now_ms);
    void leave(std::uint32_t place);

    /// Forgets some addresses that have no client and have not connected for a second. Called now and then.
    void sweep(std::uint64_t now_ms);

    [[nodiscard]] std::size_t size() const { return places_.size(); }
    [[nodiscard]] std::uint64_t clients() const { return clients_; }
    [[nodiscard]] std::size_t memory_bytes() const;

private:
    struct Entry {
        Address address;
        std::uint64_t last_ms = 0;  // when one came
        std::uint32_t clients = 0;
        bool used = false;
        protocol::TokenBucket rate;
    };
    struct Hash {
        std::size_t operator()(const Address& a) const { return address_hash(a); }
    };
    static constexpr std::uint64_t kRememberMs = 1000;  // a full bucket tells nothing
    static constexpr std::size_t kSweptAtOnce = 256;

    std::unordered_map<Address, std::uint32_t, Hash> places_;
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> free_;
    std::size_t swept_ = 0;
    std::uint64_t clients_ = 0;
};

}  // namespace spillway::server
