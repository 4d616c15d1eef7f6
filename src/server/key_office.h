// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Idempotency keys that this core owns: a key's owner is found from its hash, as a channel's home is. Before anything is
// published under a key, the core that serves the request claims it here; afterwards it tells what became of it.
//
// Thread: the core.
#pragma once

#include "protocol/idempotency_keys.h"
#include "server/envelope.h"

namespace spillway::server {

class Core;

class KeyOffice {
public:
    explicit KeyOffice(Core& core) : core_(core), keys_({}) {}

    void claim(CoreId from, const Claim& claim);
    void settle(const Settle& settle);
    [[nodiscard]] const protocol::IdempotencyKeys& keys() const { return keys_; }

private:
    void tell(protocol::IdempotencyKeys::Caller caller, protocol::IdempotencyKeys::Verdict verdict,
              std::uint64_t ticket, std::string_view answer);

    Core& core_;
    protocol::IdempotencyKeys keys_;
};

}  // namespace spillway::server
