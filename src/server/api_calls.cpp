// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/api_calls.h"

#include <cstring>

#include <spillway/limits.h>

#include "base/assert.h"
#include "crypto/digest.h"
#include "server/core.h"

namespace spillway::server {
namespace {

constexpr http::Header kRetryAfter[] = {{"Retry-After", "1"}};

/// Of the body's digest, in hex: enough to tell apart what nobody makes alike on purpose.
constexpr std::uint32_t kDigestBytes = 32;

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

void ApiCalls::abandon(std::uint64_t name) {
    ApiCall* call = find(name);
    if (call == nullptr) return;
    call->client = 0;
    if (call->key == KeyState::asked) return;  // the owner's word must be answered
    if (call->key == KeyState::granted) settle(*call, nullptr);
    calls_.release(slot_of(name));
}

// ---- idempotency

std::uint64_t ApiCalls::claim(std::uint64_t client, std::uint32_t request, AppIndex app, std::string_view key,
                              std::string_view body) {
    const std::uint64_t name = begin(client, request);
    if (name == 0) return 0;
    ApiCall& call = *find(name);
    call.key = KeyState::asked;
    call.key_owner = static_cast<CoreId>(pubsub::channel_hash(app, key) % core_.cores);
    const std::string_view pieces[] = {body};
    const crypto::HmacSha256Hex digest = crypto::hmac_sha256(key, pieces);
    auto* block = core_.blocks.make<KeyBlock>(key.size() + kDigestBytes);
    block->app = app;
    block->key_size = static_cast<std::uint32_t>(key.size());
    block->digest_size = kDigestBytes;
    std::memcpy(block->text(), key.data(), key.size());
    std::memcpy(block->text() + key.size(), digest.data(), kDigestBytes);
    core_.port.send(call.key_owner, Claim{block, name});
    return name;
}

void ApiCalls::claimed(const Claimed& answer) {
    using Verdict = protocol::IdempotencyKeys::Verdict;
    ApiCall* call = find(answer.call);
    SPILLWAY_ASSERT(call != nullptr && call->key == KeyState::asked);
    call->ticket = answer.ticket;
    switch (answer.verdict) {
        case Verdict::go: call->key = KeyState::granted; break;
        case Verdict::same: call->key = KeyState::answered; break;
        case Verdict::conflict: call->key = KeyState::conflict; break;
        case Verdict::wait:
        case Verdict::full: call->key = KeyState::full; break;
    }
    if (answer.answer != nullptr) {
        call->text = answer.answer->view();
        core_.blocks.release(answer.answer);
    }
    if (call->client == 0) {
        abandon(answer.call);
    } else if (Client* client = core_.find(call->client)) {
        core_.http.word_came(*client);  // a publisher WebSocket asks again by itself
    }
}

void ApiCalls::settle(const ApiCall& call, TextBlock* answer) {
    core_.port.send(call.key_owner, Settle{answer, call.ticket});
}

// ---- publications

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
    if (call.key == KeyState::granted) settle(call, make_text(core_.blocks, body));
    calls_.release(slot_of(name));
    core_.http.answer(client, request, 200, "application/json", body);
}

// ---- questions

bool ApiCalls::ask(std::uint64_t client, std::uint32_t request, Query::What what, const pubsub::ChannelKey& channel,
                   protocol::InfoSet info) {
    const std::uint64_t name = begin(client, request);
    if (name == 0) return false;
    find(name)->due = 1;
    questions_.push_back({name, core_.now + kQueryTime});
    core_.port.send(pubsub::home_core(channel, core_.cores),
                    Query{NameBlock::make(core_.blocks, channel), name, what, info});
    return true;
}

bool ApiCalls::list(std::uint64_t client, std::uint32_t request, AppIndex app, std::string_view prefix,
                    protocol::InfoSet info) {
    const std::uint64_t name = lists_ < kListsMax ? begin(client, request) : 0;
    if (name == 0) return false;
    ++lists_;
    ApiCall& call = *find(name);
    call.due = static_cast<std::uint32_t>(core_.cores);
    call.lists = true;
    call.text = "{\"channels\":{";
    questions_.push_back({name, core_.now + kQueryTime});
    NameBlock* const block = NameBlock::make(core_.blocks, {0, app, prefix});
    pubsub::BlockPool::retain(block, static_cast<std::uint32_t>(core_.cores - 1));
    for (std::size_t home = 0; home < core_.cores; ++home)
        core_.port.send(static_cast<CoreId>(home), Query{block, name, Query::What::channels, info});
    return true;
}

void ApiCalls::told(const Told& answer) {
    ApiCall* call = find(answer.reply_to);
    SPILLWAY_ASSERT(call != nullptr && call->due != 0);
    if (answer.text != nullptr) {
        if (core_.find(call->client) != nullptr) call->text += answer.text->view();
        core_.blocks.release(answer.text);
    }
    if (call->text.size() > kListBytesMax) {
        core_.http.answer(call->client, call->request, 400, "text/plain; charset=utf-8",
                          "There are too many channels for one answer; filter_by_prefix chooses fewer.\n");
        call->client = 0;
        call->text = {};
    }
    if (answer.last && --call->due == 0) answer_told(answer.reply_to, *call);
}

void ApiCalls::answer_told(std::uint64_t name, ApiCall& call) {
    if (call.lists) {
        --lists_;
        if (call.text.ends_with(',')) call.text.pop_back();
        call.text += "}}";
    }
    const std::uint64_t client = call.client;
    const std::uint32_t request = call.request;
    const std::string text = std::move(call.text);
    calls_.release(slot_of(name));
    core_.http.answer(client, request, 200, "application/json", text);
}

void ApiCalls::step() {
    while (!questions_.empty()) {
        ApiCall* call = find(questions_.front().call);
        if (call != nullptr && core_.now < questions_.front().until) return;
        questions_.pop_front();
        if (call == nullptr) continue;
        core_.http.answer(call->client, call->request, 503, "text/plain; charset=utf-8",
                          "The server is too busy to answer this now.\n", kRetryAfter);
        call->client = 0;
        call->text = {};
    }
}

}  // namespace spillway::server
