// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/checkup.h"

#include <algorithm>
#include <numeric>

#include "base/format.h"

namespace spillway::io {
namespace {

using base::concat;

constexpr std::uint64_t kSynBacklogAdvised = 4096;
/// Least of the kernel's buffers that each client should find when all are busy.
constexpr std::uint64_t kTcpBytesPerClient = 4096;
constexpr std::uint64_t kReceiveBufferAdvised = 1024 * 1024;
constexpr std::uint64_t kLocalPortsAdvised = 50'000;
/// Fewer interrupts than these say nothing about how they are spread.
constexpr std::uint64_t kInterruptsTelling = 100'000;

std::string mib(std::uint64_t bytes) { return concat(bytes / (1024 * 1024), " MiB"); }
std::string kib(std::uint64_t bytes) { return concat(bytes / 1024, " KiB"); }
std::string sysctl(std::string_view name, std::string_view value) { return concat("sysctl -w ", name, '=', value); }

class Examination {
public:
    Examination(const HostFacts& facts, const Purpose& purpose) : facts_(facts), purpose_(purpose) {}

    std::vector<Finding> run() {
        kernel();
        uring();
        limits();
        files();
        backlog();
        tcp_memory();
        buffers();
        ports();
        conntrack();
        governor();
        interrupts();
        huge_pages();
        return std::move(findings_);
    }

private:
    void note(std::string_view topic, Verdict verdict, std::string found, std::string change = {}) {
        findings_.push_back({topic, verdict, std::move(found), std::move(change)});
    }

    void kernel() {
        const auto warnings = kernel_warnings(facts_.kernel);
        for (const std::string& warning : warnings) note("kernel", Verdict::change, warning, "update the kernel");
        if (warnings.empty()) note("kernel", Verdict::good, facts_.kernel.text());
    }

    void uring() {
        if (!facts_.obstacle.empty()) {
            note("io_uring", Verdict::obstacle, facts_.obstacle);
        } else if (facts_.completion_per_send) {
            note("io_uring", Verdict::change,
                 "the self-test failed for sends without completion: each is confirmed, which is slower",
                 "use the latest 6.12 or 6.18");
        } else {
            note("io_uring", Verdict::good, "works as wanted, by self-test");
        }
    }

    /// The limits that `spillway serve` warns of, in its words: "topic: what: command".
    void limits() {
        const auto advice = limit_advice(facts_.limits, purpose_.cores, purpose_.ring_bytes);
        for (const std::string_view topic : {"open files", "locked memory", "accept backlog"}) {
            bool any = false;
            for (const std::string& line : advice) {
                if (!line.starts_with(topic)) continue;
                const std::string_view rest = std::string_view(line).substr(topic.size() + 2);
                const std::size_t colon = std::min(rest.find(": "), rest.size());
                note(topic, Verdict::change, std::string(rest.substr(0, colon)),
                     std::string(rest.substr(std::min(colon + 2, rest.size()))));
                any = true;
            }
            if (!any) note(topic, Verdict::good, limit_text(topic));
        }
    }

    [[nodiscard]] std::string limit_text(std::string_view topic) const {
        const auto value = [](std::uint64_t limit) {
            return limit == kUnlimited ? std::string("no limit") : concat(limit);
        };
        if (topic == "open files") return value(facts_.limits.files_soft);
        if (topic == "locked memory") return value(facts_.limits.memlock_bytes);
        return value(facts_.limits.backlog_max);
    }

    void files() {
        if (facts_.files_of_process && *facts_.files_of_process < kFilesAdvised)
            note("open files", Verdict::change,
                 concat("no process may have more than ", *facts_.files_of_process, ", whatever its limit says"),
                 sysctl("fs.nr_open", concat(kFilesAdvised)));
        if (facts_.files_of_host && *facts_.files_of_host < kFilesAdvised)
            note("open files", Verdict::change, concat("the whole host may have ", *facts_.files_of_host),
                 sysctl("fs.file-max", concat(2 * kFilesAdvised)));
    }

    void backlog() {
        if (facts_.syn_backlog && *facts_.syn_backlog < kSynBacklogAdvised)
            note("accept backlog", Verdict::change,
                 concat("only ", *facts_.syn_backlog,
                        " handshakes may be under way at once, which a stampede of reconnects exceeds"),
                 sysctl("net.ipv4.tcp_max_syn_backlog", concat(kSynBacklogAdvised)));
    }

    /// Beyond tcp_mem's last figure the kernel takes no more data for any socket: everybody suffers from some slow readers.
    void tcp_memory() {
        if (!facts_.tcp_mem) return;
        const std::uint64_t most = (*facts_.tcp_mem)[2] * facts_.page_bytes;
        const std::uint64_t clients = std::max<std::uint64_t>(std::min(purpose_.clients, facts_.limits.files_hard), 1);
        if (most / clients >= kTcpBytesPerClient)
            return note("tcp memory", Verdict::good, concat(mib(most), " for all sockets"));
        std::uint64_t wanted = clients * kTcpBytesPerClient;
        if (facts_.memory_bytes) wanted = std::min(wanted, *facts_.memory_bytes / 2);
        const std::uint64_t pages = wanted / facts_.page_bytes;
        if (wanted <= most)
            return note(
                "tcp memory", Verdict::hint,
                concat(mib(most), " for all sockets, all that this host's memory allows for ", clients, " clients"),
                "fewer clients (--max-clients), or more memory");
        note("tcp memory", Verdict::change,
             concat("all sockets together may hold ", mib(most), ": ", most / clients, " bytes for each of ", clients,
                    " clients"),
             sysctl("net.ipv4.tcp_mem", concat('"', pages / 2, ' ', pages * 3 / 4, ' ', pages, '"')));
    }

    void buffers() {
        if (facts_.send_buffer_max && *facts_.send_buffer_max < purpose_.send_buffer)
            note("send buffer", Verdict::hint,
                 concat("--socket-send-buffer of ", kib(purpose_.send_buffer), " is cut to ",
                        kib(*facts_.send_buffer_max)),
                 sysctl("net.core.wmem_max", concat(purpose_.send_buffer)));
        else if (facts_.send_buffer_max) note("send buffer", Verdict::good, kib(*facts_.send_buffer_max));
        if (facts_.tcp_wmem && (*facts_.tcp_wmem)[0] > 16 * 1024)
            note(
                "send buffer", Verdict::change,
                concat("each socket is granted ", (*facts_.tcp_wmem)[0], " bytes even when memory is short"),
                sysctl("net.ipv4.tcp_wmem", concat("\"4096 ", (*facts_.tcp_wmem)[1], ' ', (*facts_.tcp_wmem)[2], '"')));
        if (facts_.tcp_rmem && (*facts_.tcp_rmem)[2] < kReceiveBufferAdvised)
            note("receive buffer", Verdict::hint,
                 concat("at most ", kib((*facts_.tcp_rmem)[2]), ", which slows publishers that are far away"),
                 sysctl("net.ipv4.tcp_rmem", concat('"', (*facts_.tcp_rmem)[0], ' ', (*facts_.tcp_rmem)[1], ' ',
                                                    6 * kReceiveBufferAdvised, '"')));
    }

    void ports() {
        if (!facts_.first_local_port || !facts_.last_local_port || *facts_.last_local_port < *facts_.first_local_port)
            return;
        const std::uint64_t first = *facts_.first_local_port;
        const std::uint64_t last = *facts_.last_local_port;
        for (const std::uint16_t port : purpose_.ports)
            if (port != 0 && port >= first && port <= last)
                note("ports", Verdict::change,
                     concat("port ", port, " is among those that outgoing connections take, which can be there first"),
                     sysctl("net.ipv4.ip_local_reserved_ports", concat(port)));
        if (last - first + 1 < kLocalPortsAdvised)
            note("ports", Verdict::hint,
                 concat("a proxy on this host can have ", last - first + 1, " connections to one of our addresses"),
                 concat(sysctl("net.ipv4.ip_local_port_range", "\"10240 65535\""),
                        ", or let it connect through --unix-socket"));
        else note("ports", Verdict::good, concat(first, " to ", last, " for outgoing connections"));
    }

    void conntrack() {
        if (!facts_.connections_max) return note("conntrack", Verdict::good, "connections are not tracked");
        const std::uint64_t most = *facts_.connections_max;
        const std::uint64_t clients = std::min(purpose_.clients, facts_.limits.files_hard);
        const std::string larger = sysctl("net.netfilter.nf_conntrack_max", concat(std::max(clients, most) * 2));
        if (facts_.connections_now && *facts_.connections_now * 10 > most * 8)
            note("conntrack", Verdict::change,
                 concat(*facts_.connections_now, " of ", most,
                        " connections are tracked: new ones will be dropped silently"),
                 larger);
        else if (most < clients + clients / 4)
            note("conntrack", Verdict::change,
                 concat("at most ", most, " connections are tracked, further ones dropped silently, and ", clients,
                        " clients may come"),
                 larger);
        else note("conntrack", Verdict::good, concat("at most ", most, " connections are tracked"));
    }

    void governor() {
        const auto slow =
            std::ranges::find_if(facts_.governors, [](const std::string& g) { return g != "performance"; });
        if (slow != facts_.governors.end())
            note("cpu governor", Verdict::hint,
                 concat(*slow, ": a core that wakes for a message may run slowly at first"),
                 "cpupower frequency-set -g performance");
        else
            note("cpu governor", Verdict::good,
                 facts_.governors.empty() ? "frequencies are not ours to set" : "performance");
    }

    void interrupts() {
        const auto& by_cpu = facts_.network_interrupts;
        const std::uint64_t sum = std::accumulate(by_cpu.begin(), by_cpu.end(), std::uint64_t{0});
        if (by_cpu.size() < 2 || sum < kInterruptsTelling)
            return note("interrupts", Verdict::good,
                        by_cpu.size() < 2 ? "one CPU takes them" : "too few from the network to judge their spread");
        const auto busiest = std::ranges::max_element(by_cpu);
        const std::uint64_t share = *busiest * 100 / sum;
        if (share > 80)
            note("interrupts", Verdict::change,
                 concat("CPU ", busiest - by_cpu.begin(), " takes ", share,
                        " % of the network's interrupts, and becomes the limit"),
                 "systemctl enable --now irqbalance, or more queues: ethtool -L DEVICE combined N");
        else note("interrupts", Verdict::good, concat("the busiest CPU takes ", share, " % of the network's"));
    }

    void huge_pages() {
        if (facts_.huge_pages == "always")
            note("huge pages", Verdict::hint,
                 "always: memory that clients gave back may stay resident, and compaction adds pauses",
                 "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
        else if (!facts_.huge_pages.empty()) note("huge pages", Verdict::good, facts_.huge_pages);
    }

    const HostFacts& facts_;
    const Purpose& purpose_;
    std::vector<Finding> findings_;
};

}  // namespace

std::string_view to_string(Verdict verdict) {
    constexpr std::string_view names[] = {"good", "hint", "change", "obstacle"};
    return names[static_cast<std::size_t>(verdict)];
}

std::vector<Finding> examine(const HostFacts& facts, const Purpose& purpose) {
    return Examination(facts, purpose).run();
}

int exit_code(const std::vector<Finding>& findings) {
    Verdict worst = Verdict::good;
    for (const Finding& finding : findings) worst = std::max(worst, finding.verdict);
    return worst == Verdict::obstacle ? 2 : worst == Verdict::change ? 1 : 0;
}

}  // namespace spillway::io
