// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A table and JSON.

#include "report.h"

#include <cstdio>
#include <fstream>

namespace spillway::load {
namespace {

using ull = unsigned long long;

void row(const char* name, const Histogram& h) {
    std::printf("  %-22s p50 %9.3f   p95 %9.3f   p99 %9.3f   max %9.3f   (%llu)\n", name, h.percentile_ms(0.50),
                h.percentile_ms(0.95), h.percentile_ms(0.99), h.max_ms(), static_cast<ull>(h.count()));
}

double nanoseconds_per_delivery(const Outcome& o) {
    return o.deliveries == 0 ? 0 : o.seconds * 1e9 / static_cast<double>(o.deliveries);
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

}  // namespace

void print(const Outcome& o) {
    std::printf("%s: %u subscribers, %u channels\n", o.title.c_str(), o.clients, o.channels);
    row("broadcast, ms", o.completion);
    if (o.mode == Mode::open) row("delivery, ms", o.latency);
    std::printf("  %-22s %llu in %.3f s: %.0f per second, %.0f ns of wall time each\n", "deliveries",
                static_cast<ull>(o.deliveries), o.seconds,
                o.seconds > 0 ? static_cast<double>(o.deliveries) / o.seconds : 0, nanoseconds_per_delivery(o));
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

bool write_json(const std::string& file, const std::vector<Outcome>& outcomes) {
    std::ofstream out(file);
    const char* separator = "[\n";
    for (const Outcome& o : outcomes) {
        out << separator << "{\"title\": \"" << o.title << "\", \"clients\": " << o.clients
            << ", \"channels\": " << o.channels << ", \"seconds\": " << o.seconds
            << ", \"deliveries\": " << o.deliveries << ", \"ns_per_delivery\": " << nanoseconds_per_delivery(o) << ", ";
        json_histogram(out, "broadcast_ms", o.completion);
        out << ", ";
        json_histogram(out, "delivery_ms", o.latency);
        out << ", \"incomplete\": " << o.incomplete << ", \"gaps\": " << o.gaps << ", \"repeats\": " << o.repeats
            << ", \"malformed\": " << o.malformed << ", \"lost\": " << o.lost << ", \"refused\": " << o.refused
            << ", \"left_behind\": " << (o.left_behind ? "true" : "false") << ", ";
        json_state(out, "before", o.before);
        out << ", ";
        json_state(out, "loaded", o.loaded);
        out << ", ";
        json_state(out, "after", o.after);
        out << ", \"as_promised\": " << (o.as_promised() ? "true" : "false") << "}";
        separator = ",\n";
    }
    out << "\n]\n";
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
