/**
 * The machine code that runs programs: a walk over records of kernels and loops, shared with worker threads. Threads claim chunks
 * by counting up. A stage is over when all its chunks are done; whoever did the last one, while nobody else has anything to do,
 * finds the next stage (going round loops, and moving the cells that go on with them), opens it and tells the others. So nobody
 * ever waits for a thread that has not come, and whoever comes late joins at the stage that is open. It knows the layout of
 * records (kernel/image.ts) and three calls of the system: sleep, wake, yield.
 */
import type { X64Driver, X64System } from '../../kernel/image.ts';
import { x64Layout } from '../../kernel/image.ts';
import { Assembler } from './assembler.ts';
import { entryArguments } from './lower-region.ts';
import type { Label, Memory, Register } from './operands.ts';
import {
  eax,
  ebx,
  ecx,
  edx,
  esi,
  gpr32,
  imm,
  ptr,
  r10,
  r12,
  r13,
  r14,
  r15,
  r11,
  r8,
  r9,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
  xmm,
  ymm,
  zmm,
} from './operands.ts';

/** Spins at a barrier before the processor is offered to others, and between two such offers. */
const SPINS = 2000;
/** Time stamp ticks that an idle worker looks for work before it sleeps: about a millisecond, since waking takes 50 microseconds. */
const IDLE_TICKS = 2_500_000;

const { record, loopBegin, loopEnd, job, control } = x64Layout;
const r14d = gpr32[14];
const r15d = gpr32[15];
const r9d = gpr32[9];
/** The first argument of a kernel's entry is written here by name, so that a change of convention is one line. */
const kernelArgs = entryArguments;

const field = (base: Register, disp: number, bits?: 32 | 64): Memory => ptr(base, { disp, bits });

export function emitDriver(system: X64System): X64Driver {
  const a = new Assembler();
  const functions = {
    run: () => emitRun(a, system),
    worker: () => emitWorker(a, system),
    identify: () => emitIdentify(a, system),
    peak: () => emitPeak(a, ymm),
    peakWide: () => emitPeak(a, zmm),
    copy: () => emitCopy(a),
  };
  const entries = { run: 0, worker: 0, identify: 0, peak: 0, peakWide: 0, copy: 0 };
  for (const name of Object.keys(functions) as (keyof typeof functions)[]) {
    a.align(64);
    entries[name] = a.position;
    functions[name]();
  }
  const fused = 2 * PEAK_UNROLL * PEAK_ACCUMULATORS;
  return { code: a.finish().code, system, entries, peakFlops: { peak: fused * 8, peakWide: fused * 16 } };
}

// ---- frame -------------------------------------------------------------------------------------------------------------

/** Saves what the system's convention wants kept, aligns the stack to 64 bytes, leaves the one argument in rdi. */
function enter(a: Assembler, system: X64System): void {
  for (const r of [rbp, rbx, r12, r13, r14, r15]) a.emit('push', r);
  if (system === 'windows') {
    a.emit('push', rdi);
    a.emit('push', rsi);
    a.emit('mov', rdi, rcx);
  }
  a.emit('mov', rbp, rsp);
  a.emit('sub', rsp, imm(256));
  a.emit('and', rsp, imm(-64));
  if (system === 'windows') {
    // Kernels of the System V convention may destroy all vector registers; here the upper ten are the caller's.
    for (let i = 0; i < 10; i++) a.emit('vmovups', ptr(rsp, { disp: 64 + 16 * i }), xmm[6 + i]);
  }
}

function leave(a: Assembler, system: X64System): void {
  if (system === 'windows') {
    for (let i = 0; i < 10; i++) a.emit('vmovups', xmm[6 + i], ptr(rsp, { disp: 64 + 16 * i }));
  }
  a.emit('mov', rsp, rbp);
  if (system === 'windows') {
    a.emit('pop', rsi);
    a.emit('pop', rdi);
  }
  for (const r of [r15, r14, r13, r12, rbx, rbp]) a.emit('pop', r);
  a.emit('ret');
}

// ---- the system: rbx is the control block, rsp is aligned, rax, rcx, rdx, rsi, rdi, r8..r11 are lost -------------------------

/** Sleeps while the int32 at `offset` of the control block is still `expected`; may return early. */
function sleep(a: Assembler, system: X64System, offset: number, expected: Register): void {
  if (system === 'linux') {
    a.emit('mov', edx, expected);
    a.emit('lea', rdi, field(rbx, offset));
    a.emit('mov', esi, imm(128)); // FUTEX_WAIT_PRIVATE
    a.emit('mov', r10, imm(0));
    a.emit('mov', eax, imm(202));
    a.emit('syscall');
  } else if (system === 'darwin') {
    a.emit('mov', edx, expected);
    a.emit('mov', gpr32[7], imm(1)); // UL_COMPARE_AND_WAIT
    a.emit('lea', rsi, field(rbx, offset));
    a.emit('mov', ecx, imm(0)); // no timeout
    a.emit('call', field(rbx, control.wait));
  } else {
    a.emit('mov', ptr(rsp, { disp: 40 }), expected);
    a.emit('lea', rcx, field(rbx, offset));
    a.emit('lea', rdx, ptr(rsp, { disp: 40 }));
    a.emit('mov', r8, imm(4));
    a.emit('mov', gpr32[9], imm(0xffffffff)); // INFINITE
    a.emit('call', field(rbx, control.wait)); // WaitOnAddress
  }
}

/** Wakes all who sleep on the int32 at `offset`. */
function wake(a: Assembler, system: X64System, offset: number): void {
  if (system === 'linux') {
    a.emit('lea', rdi, field(rbx, offset));
    a.emit('mov', esi, imm(129)); // FUTEX_WAKE_PRIVATE
    a.emit('mov', edx, imm(0x7fffffff));
    a.emit('mov', eax, imm(202));
    a.emit('syscall');
  } else if (system === 'darwin') {
    a.emit('mov', gpr32[7], imm(0x101)); // UL_COMPARE_AND_WAIT | ULF_WAKE_ALL
    a.emit('lea', rsi, field(rbx, offset));
    a.emit('mov', edx, imm(0));
    a.emit('call', field(rbx, control.wake));
  } else {
    a.emit('lea', rcx, field(rbx, offset));
    a.emit('call', field(rbx, control.wake)); // WakeByAddressAll
  }
}

function yieldProcessor(a: Assembler, system: X64System): void {
  if (system === 'linux') {
    a.emit('mov', eax, imm(24)); // sched_yield
    a.emit('syscall');
  } else {
    a.emit('call', field(rbx, control.yield));
  }
}

// ---- running -----------------------------------------------------------------------------------------------------------

/** Where a thread keeps the phase it works in; beyond what calls of the system use. */
const ownPhase = ptr(rsp, { disp: 48, bits: 32 });

/** rbx control, r13 end of the records; r12 and r14 are lost. Works until the job is over. */
function walk(a: Assembler, system: X64System): void {
  const [next, claim, retry, exhausted, stageEnd, published, publish, wait, spin, out] = labels(a, 10);
  a.bind(next);
  // The phase first: a position that is newer than it does no harm.
  a.emit('mov', eax, field(rbx, control.phase));
  a.emit('mov', ownPhase, eax);
  a.emit('mov', r12, field(rbx, control.position));
  a.emit('cmp', r12, r13);
  a.emit('jae', out);
  a.emit('mov', r14d, imm(0)); // chunks of this stage that this thread did
  a.bind(claim);
  a.emit('mov', eax, field(r12, record.claimed));
  a.bind(retry);
  a.emit('mov', edx, field(r12, record.limit));
  a.emit('mov', ecx, edx);
  a.emit('sub', ecx, eax);
  a.emit('jle', exhausted);
  // Never beyond the limit: what is claimed there would be a chunk of the loop's next iteration.
  a.emit('mov', ecx, eax);
  a.emit('inc', ecx);
  a.emit('cmpxchg', field(r12, record.claimed), ecx);
  a.emit('jne', retry);
  // As long as this chunk is not done the stage stays open, so all that the record says holds.
  a.emit('sub', eax, edx);
  a.emit('add', eax, field(r12, record.extent));
  a.emit('movsxd', kernelArgs.chunk, eax);
  a.emit('mov', kernelArgs.args, field(r12, record.args));
  a.emit('mov', kernelArgs.errors, field(rbx, control.errors));
  a.emit('call', field(r12, record.entry));
  a.emit('inc', r14);
  a.emit('jmp', claim);

  a.bind(exhausted);
  a.emit('cmp', field(r12, record.endsStage, 32), imm(0));
  a.emit('jne', stageEnd);
  a.emit('add', r12, imm(record.size));
  a.emit('jmp', claim);

  a.bind(stageEnd);
  a.emit('cmp', r14d, imm(0));
  a.emit('je', wait);
  a.emit('mov', eax, r14d);
  a.emit('xadd', field(r12, record.done), eax);
  a.emit('add', eax, r14d);
  a.emit('cmp', eax, field(r12, record.stageChunks));
  a.emit('jne', wait);
  // The last chunk. Whoever opened this stage may not have said so yet: what comes next is told after that.
  a.bind(published);
  a.emit('mov', eax, field(r12, record.phase));
  a.emit('cmp', eax, field(rbx, control.phase));
  a.emit('je', publish);
  a.emit('pause');
  a.emit('jmp', published);
  a.bind(publish);
  a.emit('add', r12, imm(record.size));
  sequence(a);
  a.emit('jmp', next);

  a.bind(wait);
  a.emit('mov', ecx, imm(SPINS));
  a.bind(spin);
  a.emit('mov', eax, field(rbx, control.phase));
  a.emit('cmp', eax, ownPhase);
  a.emit('jne', next);
  a.emit('pause');
  a.emit('dec', ecx);
  a.emit('jne', spin);
  yieldProcessor(a, system);
  a.emit('jmp', wait);
  a.bind(out);
}

/**
 * From record r12 on (rbx control, r13 end): goes through loops to the next kernel, opens its stage and says so; or says that the
 * job is over. Only one thread is here at a time, and nobody works. rax, rcx, rdx, r8..r12 are lost.
 */
function sequence(a: Assembler): void {
  const [again, open, find, found, raise, tell] = labels(a, 6);
  a.bind(again);
  a.emit('mov', r9, field(rbx, control.phase)); // the lower half counts
  a.emit('inc', r9d);
  a.emit('cmp', r12, r13);
  a.emit('jae', tell);
  a.emit('cmp', field(r12, record.kind, 32), imm(0));
  a.emit('je', open);
  passLoop(a);
  a.emit('jmp', again);
  a.bind(open);
  a.emit('mov', rax, r12);
  a.bind(find);
  a.emit('cmp', field(rax, record.endsStage, 32), imm(0));
  a.emit('jne', found);
  a.emit('add', rax, imm(record.size));
  a.emit('jmp', find);
  a.bind(found);
  a.emit('mov', field(rax, record.done, 32), imm(0));
  a.emit('mov', field(rax, record.phase), r9d);
  a.emit('mov', rax, r12);
  a.bind(raise);
  a.emit('mov', ecx, field(rax, record.limit));
  a.emit('add', ecx, field(rax, record.extent));
  a.emit('mov', field(rax, record.limit), ecx);
  a.emit('mov', ecx, field(rax, record.endsStage));
  a.emit('add', rax, imm(record.size));
  a.emit('cmp', ecx, imm(0));
  a.emit('je', raise);
  a.bind(tell);
  a.emit('mov', field(rbx, control.position), r12);
  a.emit('mov', field(rbx, control.phase), r9d);
}

/** r12 is the beginning or the end of a loop: leaves it at the record that comes next. rax, rcx, rdx, r8..r11 are lost. */
function passLoop(a: Assembler): void {
  const [end, go, skip, again, over, done] = labels(a, 6);
  const jumpUnlessSet = (loop: Register, set: Label, unset: Label): void => {
    a.emit('mov', rax, field(loop, loopBegin.flag));
    a.emit('cmp', rax, imm(0));
    a.emit('je', set);
    a.emit('mov', rax, ptr(rax));
    a.emit('cmp', ptr(rax, { bits: 32 }), imm(0));
    a.emit('je', unset);
    a.emit('jmp', set);
  };
  a.emit('cmp', field(r12, record.kind, 32), imm(2));
  a.emit('je', end);
  a.emit('mov', rax, imm(0));
  a.emit('mov', field(r12, loopBegin.iteration), rax);
  jumpUnlessSet(r12, go, skip);
  a.bind(go);
  a.emit('add', r12, imm(record.size));
  a.emit('jmp', done);
  a.bind(skip);
  a.emit('mov', r12, field(r12, loopBegin.exit));
  a.emit('jmp', done);

  a.bind(end);
  a.emit('mov', r8, field(r12, loopEnd.begin));
  a.emit('mov', r9, field(r8, loopBegin.iteration));
  a.emit('inc', r9);
  a.emit('mov', field(r8, loopBegin.iteration), r9);
  forEachMove(a, () => {
    a.emit('mov', r10, ptr(rcx, { disp: 8 }));
    a.emit('add', r10, ptr(rax));
    a.emit('mov', ptr(rax), r10);
  });
  a.emit('cmp', r9, field(r12, loopEnd.count));
  a.emit('jge', over);
  jumpUnlessSet(r8, again, over);
  a.bind(again);
  a.emit('lea', r12, field(r8, record.size));
  a.emit('jmp', done);
  // Back to where they stood before the loop: an outer loop, or the next run, begins there.
  a.bind(over);
  forEachMove(a, () => {
    a.emit('mov', r10, ptr(rcx, { disp: 8 }));
    a.emit('imul', r10, r9);
    a.emit('mov', r11, ptr(rax));
    a.emit('sub', r11, r10);
    a.emit('mov', ptr(rax), r11);
  });
  a.emit('add', r12, imm(record.size));
  a.bind(done);
}

/** For each cell that moves with the loop whose end is r12: rax is its address, rcx its entry in the list. rdx is lost. */
function forEachMove(a: Assembler, move: () => void): void {
  const [next, out] = labels(a, 2);
  a.emit('mov', rcx, field(r12, loopEnd.moveTable));
  a.emit('mov', edx, field(r12, loopEnd.moves));
  a.bind(next);
  a.emit('dec', edx);
  a.emit('jl', out);
  a.emit('mov', rax, ptr(rcx));
  move();
  a.emit('add', rcx, imm(16));
  a.emit('jmp', next);
  a.bind(out);
}

/** void run(job*) */
function emitRun(a: Assembler, system: X64System): void {
  const [parallel, finish, quiet, drained, drain, noWaiters] = labels(a, 6);
  enter(a, system);
  a.emit('mov', r15, rdi);
  a.emit('mov', rbx, field(r15, job.control));
  a.emit('mov', r12, field(r15, job.begin));
  a.emit('mov', r13, field(r15, job.end));
  takeTurn(a, system);
  a.emit('cmp', field(r15, job.parallel, 32), imm(0));
  a.emit('jne', parallel);
  runAlone(a);
  a.emit('jmp', finish);

  a.bind(parallel);
  a.emit('mov', field(rbx, control.end), r13);
  a.emit('mov', rax, field(r15, job.errors));
  a.emit('mov', field(rbx, control.errors), rax);
  sequence(a);
  a.emit('mov', eax, imm(1));
  a.emit('xchg', field(rbx, control.open), eax);
  a.emit('mov', eax, imm(1));
  a.emit('lockadd', field(rbx, control.generation), eax);
  a.emit('cmp', field(rbx, control.sleepers, 32), imm(0));
  a.emit('je', quiet);
  wake(a, system, control.generation);
  a.bind(quiet);
  walk(a, system);
  // Nobody may enter any more; who is inside finds nothing to do and leaves soon.
  a.emit('mov', eax, imm(0));
  a.emit('xchg', field(rbx, control.open), eax);
  a.bind(drain);
  a.emit('mov', ecx, imm(SPINS));
  const again = a.label();
  a.bind(again);
  a.emit('cmp', field(rbx, control.active, 32), imm(0));
  a.emit('je', drained);
  a.emit('pause');
  a.emit('dec', ecx);
  a.emit('jne', again);
  yieldProcessor(a, system);
  a.emit('jmp', drain);
  a.bind(drained);

  a.bind(finish);
  a.emit('mov', eax, imm(1));
  a.emit('lockadd', field(rbx, control.serving), eax);
  a.emit('cmp', field(rbx, control.turnWaiters, 32), imm(0));
  a.emit('je', noWaiters);
  wake(a, system, control.serving);
  a.bind(noWaiters);
  leave(a, system);
}

/** Waits until the job in r15 is the one being served. */
function takeTurn(a: Assembler, system: X64System): void {
  const [again, spin, mine] = labels(a, 3);
  a.bind(again);
  a.emit('mov', ecx, imm(SPINS));
  a.bind(spin);
  a.emit('mov', eax, field(rbx, control.serving));
  a.emit('cmp', eax, field(r15, job.ticket));
  a.emit('je', mine);
  a.emit('pause');
  a.emit('dec', ecx);
  a.emit('jne', spin);
  a.emit('mov', r14d, eax);
  a.emit('mov', eax, imm(1));
  a.emit('lockadd', field(rbx, control.turnWaiters), eax);
  sleep(a, system, control.serving, r14d);
  a.emit('mov', eax, imm(-1));
  a.emit('lockadd', field(rbx, control.turnWaiters), eax);
  a.emit('jmp', again);
  a.bind(mine);
}

/** Every chunk of every record in order, on this thread. */
function runAlone(a: Assembler): void {
  const [nextRecord, kernel, nextChunk, advance, out] = labels(a, 5);
  a.bind(nextRecord);
  a.emit('cmp', r12, r13);
  a.emit('jae', out);
  a.emit('cmp', field(r12, record.kind, 32), imm(0));
  a.emit('je', kernel);
  passLoop(a);
  a.emit('jmp', nextRecord);
  a.bind(kernel);
  a.emit('mov', r14d, imm(0));
  a.bind(nextChunk);
  a.emit('cmp', r14d, field(r12, record.extent));
  a.emit('jge', advance);
  a.emit('mov', kernelArgs.chunk, r14);
  a.emit('mov', kernelArgs.args, field(r12, record.args));
  a.emit('mov', kernelArgs.errors, field(r15, job.errors));
  a.emit('call', field(r12, record.entry));
  a.emit('inc', r14);
  a.emit('jmp', nextChunk);
  a.bind(advance);
  a.emit('add', r12, imm(record.size));
  a.emit('jmp', nextRecord);
  a.bind(out);
}

/** void* worker(control*) */
function emitWorker(a: Assembler, system: X64System): void {
  const [idle, spin, enterJob, closed, exit] = labels(a, 5);
  enter(a, system);
  a.emit('mov', rbx, rdi);
  a.emit('mov', r15d, imm(0)); // the generation that was served last
  a.bind(idle);
  timeStamp(a);
  a.emit('mov', r14, rax);
  a.bind(spin);
  a.emit('mov', ecx, field(rbx, control.generation));
  a.emit('cmp', ecx, r15d);
  a.emit('jne', enterJob);
  a.emit('pause');
  timeStamp(a);
  a.emit('sub', rax, r14);
  a.emit('cmp', rax, imm(IDLE_TICKS));
  a.emit('jb', spin);
  a.emit('mov', eax, imm(1));
  a.emit('lockadd', field(rbx, control.sleepers), eax);
  sleep(a, system, control.generation, r15d);
  a.emit('mov', eax, imm(-1));
  a.emit('lockadd', field(rbx, control.sleepers), eax);
  a.emit('jmp', idle);

  a.bind(enterJob);
  a.emit('mov', r15d, ecx);
  a.emit('cmp', field(rbx, control.exit, 32), imm(0));
  a.emit('jne', exit);
  a.emit('mov', eax, imm(1));
  a.emit('lockadd', field(rbx, control.active), eax);
  a.emit('cmp', field(rbx, control.open, 32), imm(0));
  a.emit('je', closed);
  a.emit('mov', r13, field(rbx, control.end));
  walk(a, system);
  a.bind(closed);
  a.emit('mov', eax, imm(-1));
  a.emit('lockadd', field(rbx, control.active), eax);
  a.emit('jmp', idle);

  a.bind(exit);
  a.emit('mov', eax, imm(-1));
  a.emit('lockadd', field(rbx, control.live), eax);
  a.emit('mov', eax, imm(0));
  leave(a, system);
}

/** rax = time stamp; rdx is lost. */
function timeStamp(a: Assembler): void {
  a.emit('rdtsc');
  a.emit('shl', rdx, imm(32));
  a.emit('or', rax, rdx);
}

// ---- the machine -------------------------------------------------------------------------------------------------------

/** void identify(int32[8]) */
function emitIdentify(a: Assembler, system: X64System): void {
  const [noXgetbv, noCache, out] = labels(a, 3);
  enter(a, system);
  a.emit('mov', rsi, rdi);
  a.emit('mov', eax, imm(1));
  a.emit('mov', ecx, imm(0));
  a.emit('cpuid');
  [eax, ebx, ecx, edx].forEach((r, i) => {
    a.emit('mov', ptr(rsi, { disp: 4 * i }), r);
  });
  a.emit('mov', eax, imm(7));
  a.emit('mov', ecx, imm(0));
  a.emit('cpuid');
  a.emit('mov', ptr(rsi, { disp: 16 }), ebx);
  a.emit('mov', ptr(rsi, { disp: 20 }), ecx);
  // Kilobytes of the second cache, in the upper half of ecx, where the processor has that leaf.
  a.emit('mov', eax, imm(0x80000000));
  a.emit('cpuid');
  a.emit('mov', ptr(rsi, { disp: 28, bits: 32 }), imm(0));
  a.emit('cmp', eax, imm(-0x7ffffffa)); // 0x80000006
  a.emit('jb', noCache);
  a.emit('mov', eax, imm(0x80000006));
  a.emit('mov', ecx, imm(0));
  a.emit('cpuid');
  a.emit('mov', ptr(rsi, { disp: 28 }), ecx);
  a.bind(noCache);
  // xgetbv exists only where the system has switched it on (OSXSAVE, bit 27 of ecx).
  a.emit('mov', ecx, ptr(rsi, { disp: 8 }));
  a.emit('and', ecx, imm(1 << 27));
  a.emit('je', noXgetbv);
  a.emit('mov', ecx, imm(0));
  a.emit('xgetbv');
  a.emit('mov', ptr(rsi, { disp: 24 }), eax);
  a.emit('jmp', out);
  a.bind(noXgetbv);
  a.emit('mov', ptr(rsi, { disp: 24, bits: 32 }), imm(0));
  a.bind(out);
  leave(a, system);
}

const PEAK_UNROLL = 4;
const PEAK_ACCUMULATORS = 12;

/** As many independent multiply-adds of one width as the processor can take; a kernel's entry. */
function emitPeak(a: Assembler, bank: readonly Register[]): void {
  const [head] = labels(a, 1);
  a.emit('mov', rax, ptr(kernelArgs.args));
  for (let i = 0; i < 16; i++) a.emit('vxorps', bank[i], bank[i], bank[i]);
  a.align(32);
  a.bind(head);
  for (let u = 0; u < PEAK_UNROLL; u++) {
    for (let i = 0; i < PEAK_ACCUMULATORS; i++) a.emit('vfmadd231ps', bank[i], bank[12 + (i % 2)], bank[14 + (i % 2)]);
  }
  a.emit('dec', rax);
  a.emit('jne', head);
  a.emit('vzeroupper');
  a.emit('ret');
}

/** A plain streaming copy; a kernel's entry. */
function emitCopy(a: Assembler): void {
  const [head] = labels(a, 1);
  a.emit('mov', rax, ptr(kernelArgs.args));
  a.emit('mov', rcx, ptr(kernelArgs.args, { disp: 8 }));
  a.emit('mov', r8, ptr(kernelArgs.args, { disp: 16 }));
  a.emit('mov', r9, kernelArgs.chunk);
  a.emit('imul', r9, r8);
  a.emit('add', rax, r9);
  a.emit('add', rcx, r9);
  a.align(32);
  a.bind(head);
  for (let i = 0; i < 4; i++) a.emit('vmovups', ymm[i], ptr(rax, { disp: 32 * i }));
  for (let i = 0; i < 4; i++) a.emit('vmovups', ptr(rcx, { disp: 32 * i }), ymm[i]);
  a.emit('add', rax, imm(128));
  a.emit('add', rcx, imm(128));
  a.emit('sub', r8, imm(128));
  a.emit('jg', head);
  a.emit('vzeroupper');
  a.emit('ret');
}

function labels(a: Assembler, count: number): Label[] {
  return Array.from({ length: count }, () => a.label());
}
