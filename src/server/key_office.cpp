// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/key_office.h"

#include "server/core.h"

namespace spillway::server {

using Verdict = protocol::IdempotencyKeys::Verdict;

void KeyOffice::claim(CoreId from, const Claim& claim) {
    KeyBlock& asked = *claim.key;
    const auto held = keys_.claim(asked.app, asked.key(), asked.digest(), {from, claim.call}, core_.now);
    if (held.verdict != Verdict::wait) tell({from, claim.call}, held.verdict, held.ticket, held.answer);
    core_.blocks.release(claim.key);
}

void KeyOffice::settle(const Settle& settle) {
    if (settle.answer == nullptr) {
        protocol::IdempotencyKeys::Caller next;
        if (keys_.fail(settle.ticket, next)) tell(next, Verdict::go, settle.ticket, {});
        return;
    }
    const std::string_view answer = settle.answer->view();
    for (const auto& caller : keys_.settle(settle.ticket, answer, core_.now)) tell(caller, Verdict::same, 0, answer);
    core_.blocks.release(settle.answer);
}

void KeyOffice::tell(protocol::IdempotencyKeys::Caller caller, Verdict verdict, std::uint64_t ticket,
                     std::string_view answer) {
    TextBlock* const text = verdict == Verdict::same ? make_text(core_.blocks, answer) : nullptr;
    core_.port.send(caller.core, Claimed{text, caller.call, ticket, verdict});
}

}  // namespace spillway::server
