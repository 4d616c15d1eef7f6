// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/api_calls.h"

#include <cstring>

#include <spillway/limits.h>

#include "base/assert.h"
#include "server/core.h"

namespace spillway::server {
namespace {

constexpr http::Header kRetryAfter[] = {{"Retry-After", "1"}};

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
