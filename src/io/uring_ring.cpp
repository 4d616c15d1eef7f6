// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/uring_ring.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include <liburing.h>

#include "base/assert.h"
#include "base/poison.h"
#include "io/capabilities.h"
#include "io/ring_rules.h"

namespace spillway::io {
namespace {

constexpr int kBufferGroup = 0;
constexpr unsigned kSqEntriesMin = 64;

// Linux 6.15; liburing 2.9 does not name them yet. Without the flag a core that sleeps in the ring counts as waiting
// for a disk, and every dashboard shows an idle server as overloaded.
constexpr unsigned kEnterNoIowait = 1U << 7;
constexpr unsigned kFeatureNoIowait = 1U << 17;

// A memory shortage may make the kernel refuse submissions for a moment; this often at 100 us each is a second.
constexpr unsigned kRefusalsMax = 10'000;
constexpr useconds_t kRefusalPauseUs = 100;

constexpr base::Duration kWaitMax = std::chrono::hours(1);  // keeps the kernel's arithmetic far from its ends

constexpr unsigned kSetupFlags =
    IORING_SETUP_SINGLE_ISSUER |  // 6.0: one thread submits, the kernel drops its locks
    IORING_SETUP_DEFER_TASKRUN |  // 6.1: completions run when we ask for them, in batches, never in between
    IORING_SETUP_COOP_TASKRUN |   // 5.19: no interrupt to tell us of a completion
    IORING_SETUP_TASKRUN_FLAG |   // 5.19: a word in shared memory says that deferred work waits, so polling is free
    IORING_SETUP_SUBMIT_ALL |     // 5.18: one bad request must not hold back the rest of a fan-out batch
    IORING_SETUP_CQSIZE |         // multishot requests complete more often than they are submitted
    IORING_SETUP_CLAMP |          // sizes over the kernel's bound become the bound
    IORING_SETUP_R_DISABLED;      // set up here, owned by the thread that enables it

std::size_t page_round(std::size_t bytes) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
}

Completion decode(const io_uring_cqe& cqe) {
    return {.token = Token::unpack(cqe.user_data),
            .result = cqe.res,
            .buffer = static_cast<std::uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT),
            .has_buffer = (cqe.flags & IORING_CQE_F_BUFFER) != 0,
            .more = (cqe.flags & IORING_CQE_F_MORE) != 0,
            .notification = (cqe.flags & IORING_CQE_F_NOTIF) != 0,
            .copied = (cqe.flags & IORING_CQE_F_NOTIF) != 0 &&
                      (static_cast<unsigned>(cqe.res) & IORING_NOTIF_USAGE_ZC_COPIED) != 0,
            .socket_nonempty = (cqe.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0};
}

/// EAGAIN: no memory for a request just now. EBUSY: too many completions wait for us. Any other failure of an enter
/// (EBADR: completions were lost) leaves us not knowing the state of our sockets.
bool is_passing(int error) { return error == EAGAIN || error == EBUSY || error == EINTR; }

std::uint64_t total_bytes(const msghdr& message) {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < message.msg_iovlen; ++i) bytes += message.msg_iov[i].iov_len;
    return bytes;
}

Descriptor open_spare() { return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

/// Takes what has come, so that the close does not reset the connection before its answer is read.
void discard_input(int fd) {
    char bytes[4096];
    for (int pieces = 0; pieces < 16 && ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0; ++pieces) {
    }
}

}  // namespace

std::uint64_t ring_locked_bytes(const UringOptions& options) {
    const auto sqes = page_round(options.sq_entries * sizeof(io_uring_sqe));
    const auto cqes = page_round(options.cq_entries * sizeof(io_uring_cqe) + 512);  // and the heads, tails and flags
    return sqes + cqes + page_round(options.buffers * sizeof(io_uring_buf));
}

UringRing::UringRing(const UringOptions& options) : options_(options), ring_(std::make_unique<io_uring>()) {
    SPILLWAY_ASSERT(std::has_single_bit(options.buffers) && options.buffers <= 32'768);
    SPILLWAY_ASSERT(options.cq_entries >= options.sq_entries && options.buffer_bytes > 0);
    ring_->ring_fd = -1;
}

base::Result<std::unique_ptr<UringRing>> UringRing::create(const UringOptions& options) {
    std::unique_ptr<UringRing> ring(new UringRing(options));
    int error = -ring->set_up_queues();
    if (error == 0) error = -ring->set_up_buffers();
    if (error == 0) {
        ring->wake_fd_.reset(::eventfd(0, EFD_CLOEXEC));  // blocking: a non-blocking one would fail the READ, not wait
        if (!ring->wake_fd_) error = errno;
        ring->spare_ = open_spare();
    }
    if (error != 0) return base::fail(explain(error, setup_context(ring_locked_bytes(options))));
    return ring;
}

int UringRing::set_up_queues() {
    for (;;) {
        io_uring_params params = {};
        params.flags = kSetupFlags;
        params.cq_entries = options_.cq_entries;
        // liburing adds NO_SQARRAY (6.6) and does without where the kernel does not know it.
        const int result = io_uring_queue_init_params(options_.sq_entries, ring_.get(), &params);
        if (result == 0) {
            options_.sq_entries = params.sq_entries;
            options_.cq_entries = params.cq_entries;
            if ((params.features & kFeatureNoIowait) != 0) wait_flags_ |= kEnterNoIowait;
            static_cast<void>(io_uring_ring_dontfork(ring_.get()));
            restricted_ = restrict_ring(*ring_) == 0;
            return 0;
        }
        ring_->ring_fd = -1;
        if (result != -ENOMEM || options_.sq_entries / 2 < kSqEntriesMin) return result;
        // Locked memory is short, or memory is in small pieces: a smaller ring works the same, in more steps.
        options_.sq_entries /= 2;
        options_.cq_entries /= 2;
    }
}

int UringRing::set_up_buffers() {
    const std::size_t ring_bytes = page_round(options_.buffers * sizeof(io_uring_buf));
    mapping_bytes_ = ring_bytes + std::size_t{options_.buffers} * options_.buffer_bytes;
    void* mapping = ::mmap(nullptr, mapping_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) return -errno;
    mapping_ = static_cast<std::byte*>(mapping);
    buffer_ring_ = reinterpret_cast<io_uring_buf_ring*>(mapping_);
    buffers_ = mapping_ + ring_bytes;

    io_uring_buf_reg registration = {};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffer_ring_);
    registration.ring_entries = options_.buffers;
    registration.bgid = kBufferGroup;
    if (const int result = io_uring_register_buf_ring(ring_.get(), &registration, 0); result != 0) return result;
    io_uring_buf_ring_init(buffer_ring_);
    for (unsigned i = 0; i < options_.buffers; ++i) give_back(static_cast<std::uint16_t>(i));
    publish_buffers();
    return 0;
}

UringRing::~UringRing() {
    if (ring_->ring_fd >= 0) io_uring_queue_exit(ring_.get());
    if (mapping_ == nullptr) return;
    base::unpoison(mapping_, mapping_bytes_);
    ::munmap(mapping_, mapping_bytes_);  // the kernel keeps what it still needs of the pages by itself
}

int UringRing::start() {
    if (const int result = io_uring_enable_rings(ring_.get()); result != 0) return result;
    // Saves a reference count on each enter; where it cannot be had the descriptor does.
    if (io_uring_register_ring_fd(ring_.get()) == 1) enter_flags_ |= IORING_ENTER_REGISTERED_RING;
    return 0;
}

io_uring_sqe* UringRing::next_sqe(Token token) {
    io_uring_sqe* sqe = io_uring_get_sqe(ring_.get());
    if (sqe == nullptr) {
        submit();
        sqe = io_uring_get_sqe(ring_.get());
    }
    SPILLWAY_ASSERT(sqe != nullptr);
    io_uring_sqe_set_data64(sqe, token.packed());
    return sqe;
}

void UringRing::accept(int listener, Token token) {
    // No address asked for: one buffer for it would be overwritten by the next connection before anyone looks.
    io_uring_prep_multishot_accept(next_sqe(token), listener, nullptr, nullptr, SOCK_CLOEXEC);
}

void UringRing::recv(int fd, Token token) {
    io_uring_sqe* sqe = next_sqe(token);
    io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = kBufferGroup;
    sqe->file_index = options_.receive_limit;  // the place of optlen (Linux 6.17), which older headers do not name
}

void UringRing::cancel(Token target) {
    // By user_data: by descriptor the kernel would look at every request of the ring.
    io_uring_sqe* sqe = next_sqe(Token{});
    io_uring_prep_cancel64(sqe, target.packed(), 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

// MSG_DONTWAIT: done when submit returns, so nothing refers to the memory any longer. MSG_WAITALL: a short send counts
// as a failure and is reported; without it its completion would be skipped like a success and the rest of the bytes lost.
constexpr int kSendNowFlags = MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL;

void UringRing::expect_whole(io_uring_sqe* sqe, Token token, std::uint64_t bytes) {
    SPILLWAY_DEBUG_ASSERT(bytes > 0 && bytes <= INT_MAX);
    if (options_.completion_per_send) whole_[token.packed()] = bytes;
    else sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

void UringRing::send_now(int fd, std::span<const std::byte> bytes, Token token) {
    io_uring_sqe* sqe = next_sqe(token);
    io_uring_prep_send(sqe, fd, bytes.data(), bytes.size(), kSendNowFlags);
    expect_whole(sqe, token, bytes.size());
}

void UringRing::send_now(int fd, const msghdr* message, Token token) {
    io_uring_sqe* sqe = next_sqe(token);
    io_uring_prep_sendmsg(sqe, fd, message, kSendNowFlags);
    expect_whole(sqe, token, total_bytes(*message));
}

void UringRing::send_wait(int fd, const msghdr* message, Token token) {
    // Tries at once: after a queue was built up during one turn there often is room, and then no wait is set up at all.
    io_uring_prep_sendmsg(next_sqe(token), fd, message, MSG_WAITALL | MSG_NOSIGNAL);
}

void UringRing::send_zc(int fd, std::span<const std::byte> bytes, Token token) {
    SPILLWAY_DEBUG_ASSERT(!bytes.empty() && bytes.size() <= INT_MAX);
    io_uring_prep_send_zc(next_sqe(token), fd, bytes.data(), bytes.size(), MSG_WAITALL | MSG_NOSIGNAL,
                          IORING_SEND_ZC_REPORT_USAGE);
    ++figures_.zc_sends;
}

/// One io_uring_enter. Returns how many queued operations the kernel took, or -errno.
int UringRing::enter(Queued queued, unsigned wait_for, unsigned flags, const base::Duration* at_most) {
    publish_buffers();
    io_uring_sq& sq = ring_->sq;
    sq.sqe_head = sq.sqe_tail;
    io_uring_smp_store_release(sq.ktail, sq.sqe_tail);
    const unsigned to_submit = queued == Queued::hand_over ? io_uring_sq_ready(ring_.get()) : 0;
    flags |= enter_flags_;

    __kernel_timespec time = {};
    io_uring_getevents_arg argument = {};
    void* last = nullptr;
    std::size_t last_bytes = _NSIG / 8;
    if (at_most != nullptr) {
        const auto ns = std::min(*at_most, kWaitMax).count();
        time = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
        argument.ts = reinterpret_cast<std::uintptr_t>(&time);
        flags |= IORING_ENTER_EXT_ARG;
        last = &argument;
        last_bytes = sizeof argument;
    }
    ++figures_.enters;
    const int taken = io_uring_enter2(static_cast<unsigned>(ring_->enter_ring_fd), to_submit, wait_for, flags,
                                      static_cast<sigset_t*>(last), last_bytes);
    if (taken > 0) figures_.sqes += static_cast<unsigned>(taken);
    return taken;
}

/// Repeats until the kernel has taken everything: a send_now still in the queue would pass for one that succeeded.
void UringRing::hand_over(unsigned flags) {
    for (unsigned refused = 0; io_uring_sq_ready(ring_.get()) > 0;) {
        const int taken = enter(Queued::hand_over, 0, flags, nullptr);
        if (taken > 0) continue;
        SPILLWAY_ASSERT(is_passing(-taken));
        SPILLWAY_ASSERT(++refused < kRefusalsMax);
        make_room();
        if (refused > 1) ::usleep(kRefusalPauseUs);
    }
}

/// Takes finished work off the kernel's hands so that it has room for new requests and their completions.
void UringRing::make_room() {
    Completion chunk[64];
    while (const std::size_t n = copy_ready(chunk)) spilled_.insert(spilled_.end(), chunk, chunk + n);
    deferred_work_ran_ = true;
    static_cast<void>(enter(Queued::keep, 0, IORING_ENTER_GETEVENTS, nullptr));
}

void UringRing::submit() { hand_over(0); }

void UringRing::arm_wake() {
    if (wake_armed_) return;
    io_uring_prep_read(next_sqe(Token{.op = Op::wake}), wake_fd_.get(), &wake_count_, sizeof wake_count_, 0);
    wake_armed_ = true;
}

void UringRing::wait(base::Duration at_most) {
    const bool no_sleep = at_most <= base::Duration::zero() || woken_early_ || spilled_taken_ < spilled_.size();
    woken_early_ = false;
    deferred_work_ran_ = false;
    if (no_sleep) {
        const unsigned due = IO_URING_READ_ONCE(*ring_->sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
        if (io_uring_sq_ready(ring_.get()) > 0) hand_over(IORING_ENTER_GETEVENTS);
        else if (due != 0) static_cast<void>(enter(Queued::keep, 0, IORING_ENTER_GETEVENTS, nullptr));
        return;
    }
    arm_wake();
    const int taken = enter(Queued::hand_over, 1, IORING_ENTER_GETEVENTS | wait_flags_, &at_most);
    SPILLWAY_ASSERT(taken >= 0 || taken == -ETIME || is_passing(-taken));
    if (taken == -EAGAIN || taken == -EBUSY) make_room();
    // A short count: the kernel did not sleep. The caller comes round again.
    hand_over(IORING_ENTER_GETEVENTS);
}

std::size_t UringRing::take(std::span<Completion> out) {
    std::size_t n = 0;
    while (n < out.size() && spilled_taken_ < spilled_.size()) out[n++] = spilled_[spilled_taken_++];
    if (spilled_taken_ == spilled_.size()) {
        spilled_.clear();
        spilled_taken_ = 0;
    }
    for (;;) {
        n += copy_ready(out.subspan(n));
        const bool overflowed = (IO_URING_READ_ONCE(*ring_->sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0;
        if (n == out.size() || !overflowed) return n;
        flush_overflow();
    }
}

/// The kernel kept completions that did not fit; asked for events it moves them into the queue, oldest first.
void UringRing::flush_overflow() {
    ++figures_.overflows;
    deferred_work_ran_ = true;
    static_cast<void>(enter(Queued::keep, 0, IORING_ENTER_GETEVENTS, nullptr));
}

std::size_t UringRing::copy_ready(std::span<Completion> out) {
    std::size_t n = 0;
    unsigned seen = 0;
    unsigned head = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(ring_.get(), head, cqe) {
        if (n == out.size()) break;
        ++seen;
        Completion completion = decode(*cqe);
        if (settle(completion)) out[n++] = completion;
    }
    io_uring_cq_advance(ring_.get(), seen);
    figures_.cqes += seen;
    return n;
}

/// Accounts for a completion; false when it is the ring's own.
bool UringRing::settle(Completion& completion) {
    switch (completion.token.op) {
        case Op::none: return false;
        case Op::wake:
            SPILLWAY_ASSERT(completion.result == static_cast<int>(sizeof wake_count_));
            wake_armed_ = false;
            woken_early_ = deferred_work_ran_;
            ++figures_.wakes;
            return false;
        case Op::send_now: return settle_send(completion);
        case Op::send_zc: count_zc(completion); return true;
        case Op::recv:
            if (completion.result == -ENOBUFS) ++figures_.no_buffers;
            if (completion.has_buffer) {
                --buffers_free_;
                base::unpoison(buffer_at(completion.buffer), options_.buffer_bytes);
            }
            return true;
        default: return true;
    }
}

bool UringRing::settle_send(const Completion& completion) {
    if (options_.completion_per_send) {
        const auto found = whole_.find(completion.token.packed());
        SPILLWAY_ASSERT(found != whole_.end());
        const bool complete = completion.result >= 0 && static_cast<std::uint64_t>(completion.result) == found->second;
        whole_.erase(found);
        if (complete) return false;
    }
    if (completion.result == -EAGAIN) ++figures_.send_again;
    if (completion.result >= 0) ++figures_.send_short;
    return true;
}

void UringRing::count_zc(const Completion& completion) {
    if (!completion.notification) return;
    ++figures_.zc_notifications;
    if (completion.copied) ++figures_.zc_copied;
}

std::span<const std::byte> UringRing::buffer(const Completion& completion) const {
    SPILLWAY_ASSERT(completion.has_buffer && completion.buffer < options_.buffers);
    return {buffer_at(completion.buffer), static_cast<std::size_t>(std::max(completion.result, 0))};
}

void UringRing::give_back(std::uint16_t buffer) {
    SPILLWAY_ASSERT(buffer < options_.buffers && buffers_free_ < options_.buffers);
    std::byte* bytes = buffer_at(buffer);
    io_uring_buf_ring_add(buffer_ring_, bytes, options_.buffer_bytes, buffer, io_uring_buf_ring_mask(options_.buffers),
                          static_cast<int>(buffers_unpublished_++));
    ++buffers_free_;
    base::poison(bytes, 0, options_.buffer_bytes);  // the kernel's until the next completion names it
}

/// The kernel looks for buffers only while we are inside it, so once before each enter is soon enough.
void UringRing::publish_buffers() {
    if (buffers_unpublished_ == 0) return;
    io_uring_buf_ring_advance(buffer_ring_, static_cast<int>(buffers_unpublished_));
    buffers_unpublished_ = 0;
}

void UringRing::configure(int fd, std::uint64_t send_buffer_bytes) {
    // Failures are those of a connection that is already gone; the next receive tells.
    const int on = 1;
    static_cast<void>(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    if (send_buffer_bytes == 0) return;
    const int bytes = static_cast<int>(std::min<std::uint64_t>(send_buffer_bytes, INT_MAX));
    static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes));
}

// A receive that empties the socket of a peer to whom nothing is sent sends the ACK itself, before it completes: the
// kernel takes that for a one-way stream. TCP_QUICKACK (tcp(7)): 0 makes it wait for an answer to carry the ACK, at most
// 40 ms; an even number sends what is due now.
void UringRing::acknowledge_later(int fd) {
    const int later = 0;
    static_cast<void>(::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &later, sizeof later));
}

void UringRing::acknowledge(int fd) {
    const int now = 2;
    static_cast<void>(::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &now, sizeof now));
    acknowledge_later(fd);  // without an ACK that is due the one before ends the waiting
}

PeerAddress UringRing::peer(int fd) const {
    PeerAddress peer;
    sockaddr_storage storage = {};
    socklen_t bytes = sizeof storage;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &bytes) != 0) return peer;
    if (storage.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
        peer.address.bytes[10] = peer.address.bytes[11] = 0xFF;
        std::memcpy(peer.address.bytes.data() + 12, &v4.sin_addr, 4);
        peer.port = ntohs(v4.sin_port);
    } else if (storage.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
        std::memcpy(peer.address.bytes.data(), &v6.sin6_addr, 16);
        peer.port = ntohs(v6.sin6_port);
    }
    return peer;
}

std::uint64_t UringRing::unsent_bytes(int fd) const {
    int bytes = 0;
    return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

void UringRing::shutdown(int fd, int how) { static_cast<void>(::shutdown(fd, how)); }  // fails only where it is done

void UringRing::close(int fd) { static_cast<void>(::close(fd)); }

void UringRing::refuse(int fd, std::string_view answer) {
    discard_input(fd);
    static_cast<void>(::send(fd, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
    static_cast<void>(::shutdown(fd, SHUT_WR));
    discard_input(fd);
    close(fd);
}

bool UringRing::has_waiting(int listener) const {
    pollfd look{.fd = listener, .events = POLLIN, .revents = 0};
    return ::poll(&look, 1, 0) == 1 && (look.revents & POLLIN) != 0;
}

unsigned UringRing::refuse_waiting(int listener, std::string_view answer, unsigned most) {
    unsigned refused = 0;
    while (refused < most && has_waiting(listener)) {
        spare_.reset();
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) break;  // another thread took the place
        refuse(fd, answer);
        ++refused;
    }
    if (!spare_) spare_ = open_spare();
    return refused;
}

void UringRing::wake() {
    const std::uint64_t one = 1;
    static_cast<void>(::write(wake_fd_.get(), &one, sizeof one));  // fails only with the counter full: awake anyway
}

}  // namespace spillway::io
