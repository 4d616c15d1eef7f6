// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0

#include "named.h"

namespace spillway::load {
namespace {

constexpr NamedScenario kScenarios[] = {
    {"closed", "one message of 128 bytes to 1,000, 10,000 or 19,000 on one channel, against bare sends",
     "--clients 1000 --publish ws --messages 100 --repeats 5 --against-limit"},
    {"channels", "field report C: the same deliveries over 50 channels and over one",
     "--clients 19000 --channels 50 --messages 40 --warmup 4 --publish ws --repeats 5 --against-single"},
    {"saturated", "1,000 subscribers: the highest rate whose p99 stays under 250 ms",
     "--clients 1000 --publish ws --rate 1000 --search p99=250ms"},
    {"saturated-19000", "19,000 subscribers on one channel: the highest rate whose p99 stays under 2.5 bare passes",
     "--clients 19000 --publish ws --rate 8 --search p99=2.5pass"},
    {"saturated-50x380", "the same over 50 channels",
     "--clients 19000 --channels 50 --publish ws --separate --rate 8 --search p99=2.5pass"},
    {"hot20", "5,000 Pusher clients, each on 20 channels, all hot, against one bare send per channel and client",
     "--clients 5000 --channels 20 --subscriptions 20 --protocol pusher --publish ws --separate --messages 20 "
     "--warmup 3 --repeats 5 --against-limit"},
    {"lone", "a lone message on an idle server against an echo of the same size",
     "--mode lone --publish ws --messages 1000"},
    {"lone-http", "the same, published over HTTP", "--mode lone --publish api --messages 1000"},
    {"beside", "a small channel while one with 19,000 subscribers is broadcast to without pause",
     "--clients 19000 --mode flood --aside 10 --aside-rate 50 --messages 120 --warmup 10 --publish ws"},
    {"slow", "one in ten clients does not read; every drop must be counted",
     "--clients 1000 --slow 0.1 --publish ws --messages 4000 --warmup 2000 --size 1000"},
    {"idle", "memory per idle Feed client between 5,000 and 15,000", "--idle 15000"},
    {"idle-pusher", "memory per idle Pusher client between 5,000 and 15,000", "--idle 15000 --protocol pusher"},
    {"connect", "connects per second, upgrade included", "--mode connect --clients 10000 --repeats 5"},
    {"answer", "how long a publish over HTTP takes to be answered, whatever the number of subscribers",
     "--clients 10000 --publish api --messages 50"},
    {"mixed", "one channel with half of all clients beside 99 small ones",
     "--clients 10000 --channels 100 --layout mixed --mode open --rate 10 --messages 100"},
    {"burst", "bursts of 20 messages at once",
     "--clients 1000 --mode open --rate 100 --burst 20 --messages 1000 --publish ws"},
    {"churn", "500 visitors per second come and go during a broadcast of 50 messages a second",
     "--clients 1000 --mode open --rate 50 --churn 500 --messages 500 --publish ws"},
    {"smoke", "small and quick", "--clients 50 --messages 20 --warmup 2"},
};

}  // namespace

std::span<const NamedScenario> named_scenarios() { return kScenarios; }

const NamedScenario* find_scenario(std::string_view name) {
    for (const NamedScenario& scenario : kScenarios)
        if (scenario.name == name) return &scenario;
    return nullptr;
}

std::string list_text() {
    std::string text;
    for (const NamedScenario& scenario : kScenarios) {
        text += std::string(scenario.name) + std::string(18 - scenario.name.size(), ' ') + std::string(scenario.about);
        text += "\n                  " + std::string(scenario.flags) + "\n";
    }
    return text;
}

}  // namespace spillway::load
