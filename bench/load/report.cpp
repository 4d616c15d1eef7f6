// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A table and JSON.

#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace spillway::load {
namespace {

using ull = unsigned long long;

void row(const char* name, const Histogram& h) {
    std::printf("  %-22s p50 %9.3f   p95 %9.3f   p99 %9.3f   max %9.3f   (%llu)\n", name, h.percentile_ms(0.50),
                h.percentile_ms(0.95), h.percentile_ms(0.99), h.max_ms(), static_cast<ull>(h.count()));
}

/// JSON knows no infinity.
std::string json_number(double value) {
    std::ostringstream text;
    text.precision(9);
    if (std::isfinite(value)) text << value;
    else text << "null";
    return text.str();
}

void json_list(std::ostream& out, const char* name, const std::vector<double>& values) {
    out << "\"" << name << "\": [";
    for (std::size_t i = 0; i < values.size(); ++i) out << (i == 0 ? "" : ", ") << json_number(values[i]);
    out << "]";
}

void json_histogram(std::ostream& out, const char* name, const Histogram& h) {
    out << "\"" << name << "\": {\"count\": " << h.count() << ", \"p50\": " << h.percentile_ms(0.50)
        << ", \"p95\": " << h.percentile_ms(0.95) << ", \"p99\": " << h.percentile_ms(0.99)
        << ", \"max\": " << h.max_ms() << "}";
}

void json_state(std::ostream& out, const char* name, const ServerState& s) {
    out << "\"" << name << "\": {\"resident_bytes\": " << s.resident_bytes << ", \"descriptors\": " << s.descriptors
        << ", \"cpu_seconds\": " << s.cpu_seconds << ", \"clients\": " << s.clients << ", \"dropped\": " << s.dropped
        << "}";
}

void print_server(const Outcome& o) {
    if (o.loaded.resident_bytes >= 0) {
        std::printf(
            "  %-22s %.1f MiB before, %.1f loaded, %.1f after; descriptors %lld, %lld, %lld; %.2f s of processor "
            "time\n",
            "server", static_cast<double>(o.before.resident_bytes) / 1048576,
            static_cast<double>(o.loaded.resident_bytes) / 1048576,
            static_cast<double>(o.after.resident_bytes) / 1048576, static_cast<long long>(o.before.descriptors),
            static_cast<long long>(o.loaded.descriptors), static_cast<long long>(o.after.descriptors),
            o.loaded.cpu_seconds - o.before.cpu_seconds);
    }
    if (o.after.clients >= 0) {
        std::printf("  %-22s %lld clients after, %lld deliveries dropped\n", "its figures",
                    static_cast<long long>(o.after.clients),
                    static_cast<long long>(o.loaded.dropped - o.before.dropped));
    }
}

void print_limit(const AgainstLimit& limit) {
    if (limit.ratios.empty()) return;
    std::printf(
        "  %-22s %u sockets, sends %.3f ms, read %.3f ms; a broadcast %.3f ms: %.3f and %.3f times (medians of %zu)\n",
        "against bare passes", limit.sockets, median(limit.sends_ms), median(limit.read_ms), median(limit.broadcast_ms),
        median(limit.ratios), median(limit.read_ratios), limit.ratios.size());
}

void print_steps(const Outcome& o) {
    for (const Step& step : o.steps) {
        std::printf(
            "  %9.1f per second     %9.0f deliveries per second   p50 %8.1f   p95 %8.1f   bounded %8.1f ms   %s%s\n",
            step.rate, step.delivered, step.p50, step.p95, step.bounded, step.kept ? "kept" : "not kept",
            step.sent_share < 1 ? " (publisher slowed)" : "");
    }
    std::printf(
        "  %-22s %.0f deliveries per second under %.1f ms; past saturation at least %.0f, %.2f of the best rate beside "
        "it\n",
        "kept", o.kept, o.bound_ms, o.past, o.past_share);
}

void print_slow(const Outcome& o) {
    if (o.visits != 0) std::printf("  %-22s %llu came, listened and left\n", "visitors", static_cast<ull>(o.visits));
    if (o.slow_expected == 0) return;
    std::printf("  %-22s %llu due, %llu read in the end, %lld dropped by count of the server: %s\n", "slow readers",
                static_cast<ull>(o.slow_expected), static_cast<ull>(o.slow_delivered),
                static_cast<long long>(o.after.dropped - o.before.dropped),
                o.accounted() ? "all accounted for" : "NOT ACCOUNTED FOR");
}

}  // namespace

double percentile(std::vector<double> values, double share) {
    if (values.empty()) return 0;
    const auto rank = std::min(static_cast<std::size_t>(share * static_cast<double>(values.size())), values.size() - 1);
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

void print(const Outcome& o) {
    std::printf("%s: %u subscribers, %u channels\n", o.title.c_str(), o.clients, o.channels);
    if (o.mode == Mode::search) {
        print_steps(o);
    } else {
        row("broadcast, ms", o.completion);
        if (o.answer.count() != 0) row("publish answered, ms", o.answer);
        if (o.mode != Mode::closed) row("delivery, ms", o.latency[0]);
        if (o.latency[1].count() != 0) row("  on small channels", o.latency[1]);
        std::printf("  %-22s %llu in %.3f s: %.0f per second, %.0f ns of wall time each\n", "deliveries",
                    static_cast<ull>(o.deliveries), o.seconds,
                    o.seconds > 0 ? static_cast<double>(o.deliveries) / o.seconds : 0, o.ns_per_delivery());
    }
    print_limit(o.limit);
    print_slow(o);
    print_server(o);
    if (o.as_promised()) {
        std::printf("  %-22s every message once and in order at every subscriber\n", "checked");
    } else {
        std::printf(
            "  %-22s %u broadcasts incomplete, %llu messages missing, %llu doubled or out of order, %llu malformed, "
            "%llu connections lost, "
            "%u publishes refused%s\n",
            "FAILED", o.incomplete, static_cast<ull>(o.gaps), static_cast<ull>(o.repeats),
            static_cast<ull>(o.malformed), static_cast<ull>(o.lost), o.refused,
            o.left_behind ? ", descriptors or clients left behind" : "");
        if (!o.refusal.empty()) std::printf("  %-22s %s\n", "last refusal", o.refusal.c_str());
    }
}

void print(const IdleOutcome& o) {
    std::printf("idle clients: %u -> %.1f MiB, %u -> %.1f MiB: %.0f bytes each\n", o.few,
                static_cast<double>(o.at_few.resident_bytes) / 1048576, o.many,
                static_cast<double>(o.at_many.resident_bytes) / 1048576, o.bytes_per_client());
    std::printf("  after they left: %.1f MiB, %lld descriptors, %lld clients\n",
                static_cast<double>(o.after.resident_bytes) / 1048576, static_cast<long long>(o.after.descriptors),
                static_cast<long long>(o.after.clients));
}

void print(const ConnectOutcome& o) {
    std::printf("connects: %u at a time, upgrade included: %.0f per second (median of %zu)\n", o.clients,
                median(o.per_second), o.per_second.size());
}

void print(const LoneOutcome& o) {
    const double delivery = median(o.delivery_us);
    const double echo = median(o.echo_us);
    std::printf("lone messages, microseconds: p50 %.1f, p99 %.1f", delivery, percentile(o.delivery_us, 0.99));
    if (!o.echo_us.empty())
        std::printf("; echo: p50 %.1f, p99 %.1f; difference of p50 %.1f", echo, percentile(o.echo_us, 0.99),
                    delivery - echo);
    std::printf("\n");
}

namespace {

void json_limit(std::ostream& out, const AgainstLimit& limit) {
    out << "\"limit\": {\"sockets\": " << limit.sockets << ", ";
    json_list(out, "sends_ms", limit.sends_ms);
    out << ", ";
    json_list(out, "read_ms", limit.read_ms);
    out << ", ";
    json_list(out, "broadcast_ms", limit.broadcast_ms);
    out << ", ";
    json_list(out, "ratios", limit.ratios);
    out << ", ";
    json_list(out, "read_ratios", limit.read_ratios);
    out << "}";
}

void json_search(std::ostream& out, const Outcome& o) {
    out << "\"bound_ms\": " << o.bound_ms << ", \"kept_rate\": " << o.kept_rate << ", \"kept\": " << o.kept
        << ", \"past\": " << o.past << ", \"past_share\": " << o.past_share << ", \"steps\": [";
    for (std::size_t i = 0; i < o.steps.size(); ++i) {
        const Step& step = o.steps[i];
        out << (i == 0 ? "" : ", ") << "{\"rate\": " << step.rate << ", \"sent_share\": " << step.sent_share
            << ", \"delivered\": " << step.delivered << ", \"p50\": " << json_number(step.p50)
            << ", \"p95\": " << json_number(step.p95) << ", \"bounded\": " << json_number(step.bounded)
            << ", \"kept\": " << (step.kept ? "true" : "false") << "}";
    }
    out << "]";
}

void json_checks(std::ostream& out, const Outcome& o) {
    out << "\"incomplete\": " << o.incomplete << ", \"gaps\": " << o.gaps << ", \"repeats\": " << o.repeats
        << ", \"malformed\": " << o.malformed << ", \"lost\": " << o.lost << ", \"refused\": " << o.refused
        << ", \"left_behind\": " << (o.left_behind ? "true" : "false") << ", \"visits\": " << o.visits
        << ", \"slow_expected\": " << o.slow_expected << ", \"slow_delivered\": " << o.slow_delivered
        << ", \"accounted\": " << (o.accounted() ? "true" : "false")
        << ", \"as_promised\": " << (o.as_promised() ? "true" : "false");
}

void json_outcome(std::ostream& out, const Outcome& o) {
    out.precision(9);
    out << "{\"title\": \"" << o.title << "\", \"clients\": " << o.clients << ", \"channels\": " << o.channels
        << ", \"seconds\": " << o.seconds << ", \"deliveries\": " << o.deliveries
        << ", \"ns_per_delivery\": " << o.ns_per_delivery() << ", ";
    json_histogram(out, "broadcast_ms", o.completion);
    out << ", ";
    json_histogram(out, "answer_ms", o.answer);
    out << ", ";
    json_histogram(out, "delivery_ms", o.latency[0]);
    out << ", ";
    json_histogram(out, "small_ms", o.latency[1]);
    out << ", ";
    json_limit(out, o.limit);
    out << ", ";
    json_search(out, o);
    out << ", ";
    json_checks(out, o);
    out << ", \"resident_early\": " << o.resident_early << ", \"resident_late\": " << o.resident_late << ", ";
    json_state(out, "before", o.before);
    out << ", ";
    json_state(out, "loaded", o.loaded);
    out << ", ";
    json_state(out, "after", o.after);
    out << "}";
}

}  // namespace

bool write_json(const std::string& file, const std::vector<Outcome>& outcomes) {
    std::ofstream out(file);
    const char* separator = "[\n";
    for (const Outcome& o : outcomes) {
        out << separator;
        json_outcome(out, o);
        separator = ",\n";
    }
    out << "\n]\n";
    return out.flush().good();
}

bool write_json(const std::string& file, const ConnectOutcome& o) {
    std::ofstream out(file);
    out << "{\"clients\": " << o.clients << ", ";
    json_list(out, "per_second", o.per_second);
    out << "}\n";
    return out.flush().good();
}

bool write_json(const std::string& file, const LoneOutcome& o) {
    std::ofstream out(file);
    const char* separator = "{";
    for (const auto& [name, values] : {std::pair("delivery_us", &o.delivery_us), std::pair("echo_us", &o.echo_us)}) {
        out << separator << "\"" << name << "\": {\"count\": " << values->size() << ", \"p50\": " << median(*values)
            << ", \"p95\": " << percentile(*values, 0.95) << ", \"p99\": " << percentile(*values, 0.99) << "}";
        separator = ", ";
    }
    out << "}\n";
    return out.flush().good();
}

bool write_json(const std::string& file, const IdleOutcome& o) {
    std::ofstream out(file);
    out << "{\"few\": " << o.few << ", \"many\": " << o.many << ", \"bytes_per_client\": " << o.bytes_per_client()
        << ", ";
    json_state(out, "at_few", o.at_few);
    out << ", ";
    json_state(out, "at_many", o.at_many);
    out << ", ";
    json_state(out, "after", o.after);
    out << "}\n";
    return out.flush().good();
}

}  // namespace spillway::load
