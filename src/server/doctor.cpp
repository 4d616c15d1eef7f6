// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/doctor.h"

#include <algorithm>
#include <string_view>
#include <thread>

#include "base/format.h"
#include "io/capabilities.h"
#include "io/host_facts.h"
#include "io/uring_ring.h"
#include "protocol/json_escape.h"

namespace spillway::server {

Diagnosis diagnose(const Config& config, bool as_json) {
    const unsigned cpus = std::max(std::thread::hardware_concurrency(), 1U);
    const io::UringOptions options;
    io::Purpose purpose;
    purpose.cores = config.cores != 0 ? config.cores : cpus;
    purpose.ring_bytes = io::ring_locked_bytes(options);
    if (!config.max_clients_derived && config.max_clients != 0) purpose.clients = config.max_clients;
    purpose.send_buffer = config.socket_send_buffer;
    purpose.ports = {config.port, config.metrics_port};

    const io::Capabilities host = io::ask_host(purpose.cores, options);
    io::HostFacts facts = io::read_host("");
    facts.kernel = host.kernel;
    facts.obstacle = host.obstacle;
    facts.completion_per_send = host.completion_per_send;
    facts.limits = host.limits;
    facts.cpus = cpus;
    const auto findings = io::examine(facts, purpose);
    const int code = io::exit_code(findings);
    return {as_json ? findings_json(findings, code) : findings_text(findings), code};
}

std::string findings_text(std::span<const io::Finding> findings) {
    constexpr std::size_t kFoundColumn = 10;
    std::string text;
    for (const io::Finding& finding : findings) {
        const std::string_view verdict = io::to_string(finding.verdict);
        text += verdict;
        text.append(kFoundColumn - verdict.size(), ' ');
        base::append(text, finding.topic, ": ", finding.found, '\n');
        if (finding.change.empty()) continue;
        text.append(kFoundColumn, ' ');
        base::append(text, "-> ", finding.change, '\n');
    }
    const auto count = [findings](io::Verdict v) { return std::ranges::count(findings, v, &io::Finding::verdict); };
    const auto changes = count(io::Verdict::change);
    if (count(io::Verdict::obstacle) != 0) text += "\nSpillway cannot run here.\n";
    else if (changes != 0)
        base::append(
            text, '\n', changes, changes == 1 ? " thing" : " things",
            " should change. What sysctl sets is gone after a restart: put it into /etc/sysctl.d/spillway.conf.\n");
    else text += "\nNothing needs changing.\n";
    return text;
}

std::string findings_json(std::span<const io::Finding> findings, int exit_code) {
    std::string json = base::concat(R"({"exit_code":)", exit_code, R"(,"findings":[)");
    for (const io::Finding& finding : findings) {
        base::append(json, json.ends_with('[') ? "" : ",", R"({"topic":")", finding.topic, R"(","verdict":")",
                     io::to_string(finding.verdict), R"(","found":)");
        protocol::append_json_string(json, finding.found);
        json += R"(,"change":)";
        protocol::append_json_string(json, finding.change);
        json += '}';
    }
    return json + "]}\n";
}

}  // namespace spillway::server
