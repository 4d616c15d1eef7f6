// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/api_calls.h"

#include <spillway/limits.h>

#include "base/assert.h"
#include "server/core.h"

namespace spillway::server {
namespace {

std::uint32_t slot_of(std::uint64_t call) { return static_cast<std::uint32_t>(call); }
std::uint32_t generation_of(std::uint64_t call) { return static_cast<std::uint32_t>(call >> 32); }

}  // namespace

ApiCalls::ApiCalls(Core& core) : core_(core), calls_(kApiCallsMax) {}

std::uint64_t ApiCalls::begin(std::uint64_t client, std::uint32_t request) {
    const auto slot = calls_.acquire();
    if (!slot) return 0;
    calls_[*slot].client = client;
    calls_[*slot].request = request;
    return std::uint64_t{calls_.generation(*slot)} << 32 | *slot;
}

ApiCall* ApiCalls::find(std::uint64_t call) { return calls_.find(slot_of(call), generation_of(call)); }

void ApiCalls::abandon(std::uint64_t call) {
    if (find(call) != nullptr) calls_.release(slot_of(call));
}

void ApiCalls::sequenced(const Sequenced& answer) {
    ApiCall* call = find(answer.reply_to);
    SPILLWAY_ASSERT(call != nullptr && call->due != 0);
    if (call->info) call->info->set(answer.place, {answer.subscriptions, answer.users});
    if (--call->due == 0) finish(answer.reply_to, *call);
}

void ApiCalls::finish(std::uint64_t name, ApiCall& call) {
    const std::uint64_t client = call.client;
    const std::uint32_t request = call.request;
    const std::string body = call.info ? call.info->text() : "{}";
    calls_.release(slot_of(name));
    core_.http.answer(client, request, 200, "application/json", body);
}

}  // namespace spillway::server
