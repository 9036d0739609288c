/**
 * The instructions that tensorloom emits, as data: one row says how an instruction is encoded and what it does with its
 * operands. The assembler reads the encoding, the register allocator the roles, the tests both. Knows no kernel.
 */

/**
 * How operands map to encoding fields, in the order of Intel's syntax: r = modrm.reg, v = vex.vvvv, m = modrm.rm (register
 * or memory), i = 8-bit immediate, s = register in the immediate's high half.
 */
export type VexForm = 'rvm' | 'rm' | 'mr' | 'rvmi' | 'rmi' | 'mri' | 'vmi' | 'rvms' | 'none';

export interface VexRow {
  readonly enc: 'vex';
  readonly form: VexForm;
  readonly prefix: 0 | 1 | 2 | 3;
  readonly map: 1 | 2 | 3;
  readonly opcode: number;
  readonly w: 0 | 1;
  /** Vector length: of the widest vector operand, or fixed. */
  readonly length: 'widest' | 128 | 256;
  /** modrm.reg for form vmi. */
  readonly digit: number;
  /** Opcode and form of the store, where the same mnemonic also writes memory. */
  readonly store: { readonly opcode: number; readonly form: 'mr' | 'mvr' } | null;
  /** w = written, r = read, x = read and written; one letter an operand. */
  readonly roles: string;
  /** The operand m may be replaced by a spilled register's stack slot (the memory form means the same as the register form). */
  readonly foldable: boolean;
  /** Widths of the operands where they are not all as wide as the vector: what tests and the selector may use. 0 = memory only. */
  readonly operands: string;
}

/** Integer and control instructions; `shape` names the encoder that handles it. */
export interface GprRow {
  readonly enc: 'gpr';
  readonly shape:
    | 'alu' // add, or, and, sub, xor, cmp: r,rm | rm,r | rm,imm
    | 'mov'
    | 'lea'
    | 'imul'
    | 'shift'
    | 'unary' // rm
    | 'rm' // two-byte opcode r, rm
    | 'stack'
    | 'jump'
    | 'call'
    | 'locked' // [m], r
    | 'test'
    | 'bytes';
  readonly opcode: number;
  readonly digit: number;
  readonly roles: string;
  readonly bytes: readonly number[];
}

export type Encoding = VexRow | GprRow;

const prefixes = { np: 0, '66': 1, f3: 2, f2: 3 } as const;
const maps = { '0f': 1, '0f38': 2, '0f3a': 3 } as const;

type Space = `${keyof typeof prefixes}.${keyof typeof maps}`;

interface VexOptions {
  readonly w?: 0 | 1;
  readonly length?: 128 | 256;
  readonly digit?: number;
  readonly store?: number;
  readonly storeForm?: 'mr' | 'mvr';
  readonly roles?: string;
  readonly foldable?: boolean;
  readonly operands?: string;
}

const defaultRoles: { readonly [K in VexForm]: string } = {
  rvm: 'wrr',
  rm: 'wr',
  mr: 'wr',
  rvmi: 'wrri',
  rmi: 'wri',
  mri: 'wri',
  vmi: 'wri',
  rvms: 'wrrr',
  none: '',
};

function vex(space: Space, opcode: number, form: VexForm, o: VexOptions = {}): VexRow {
  const [prefix, map] = space.split('.') as [keyof typeof prefixes, keyof typeof maps];
  const roles = o.roles ?? defaultRoles[form];
  return {
    enc: 'vex',
    form,
    prefix: prefixes[prefix],
    map: maps[map],
    opcode,
    w: o.w ?? 0,
    length: o.length ?? 'widest',
    digit: o.digit ?? 0,
    store: o.store === undefined ? null : { opcode: o.store, form: o.storeForm ?? 'mr' },
    roles,
    foldable: o.foldable ?? form !== 'vmi',
    operands: o.operands ?? [...roles].map((role) => (role === 'i' ? 'i' : 'v')).join(' '),
  };
}

const fused = (opcode: number, w: 0 | 1 = 0): VexRow => vex('66.0f38', opcode, 'rvm', { w, roles: 'xrr' });
const shiftBy = (opcode: number, digit: number): VexRow => vex('66.0f', opcode, 'vmi', { digit });

function gpr(shape: GprRow['shape'], opcode: number, roles: string, digit = 0, bytes: readonly number[] = []): GprRow {
  return { enc: 'gpr', shape, opcode, digit, roles, bytes };
}

const plain = (...bytes: number[]): GprRow => gpr('bytes', 0, '', 0, bytes);

/** Operand widths in `operands`: v = the vector, x = xmm, y = ymm, d/q = 32/64-bit gpr; /m = memory too, m alone = only memory. */
export const encodings = {
  // moves
  vmovups: vex('np.0f', 0x10, 'rm', { store: 0x11 }),
  vmovaps: vex('np.0f', 0x28, 'rm', { store: 0x29, foldable: false }),
  vmovdqu: vex('f3.0f', 0x6f, 'rm', { store: 0x7f }),
  vmovss: vex('f3.0f', 0x10, 'rm', { length: 128, store: 0x11, foldable: false, operands: 'x m' }),
  vmovsd: vex('f2.0f', 0x10, 'rm', { length: 128, store: 0x11, foldable: false, operands: 'x m' }),
  vmovd: vex('66.0f', 0x6e, 'rm', { length: 128, store: 0x7e, foldable: false, operands: 'x d' }),
  vmaskmovps: vex('66.0f38', 0x2c, 'rvm', { store: 0x2e, storeForm: 'mvr', foldable: false, operands: 'v v m' }),
  vbroadcastss: vex('66.0f38', 0x18, 'rm', { operands: 'v x' }),
  vpbroadcastd: vex('66.0f38', 0x58, 'rm', { operands: 'v x' }),
  vpbroadcastb: vex('66.0f38', 0x78, 'rm', { operands: 'v x', foldable: false }),
  // single lanes and halves
  vextractf128: vex('66.0f3a', 0x19, 'mri', { length: 256, operands: 'x y i' }),
  vinsertf128: vex('66.0f3a', 0x18, 'rvmi', { length: 256, operands: 'y y x i' }),
  vinsertps: vex('66.0f3a', 0x21, 'rvmi', { length: 128, foldable: false, operands: 'x x x i' }),
  vpinsrb: vex('66.0f3a', 0x20, 'rvmi', { length: 128, foldable: false, operands: 'x x d i' }),
  vpinsrd: vex('66.0f3a', 0x22, 'rvmi', { length: 128, foldable: false, operands: 'x x d i' }),
  vextractps: vex('66.0f3a', 0x17, 'mri', { length: 128, foldable: false, operands: 'd x i' }),
  vpextrb: vex('66.0f3a', 0x14, 'mri', { length: 128, foldable: false, operands: 'd x i' }),
  vpextrd: vex('66.0f3a', 0x16, 'mri', { length: 128, foldable: false, operands: 'd x i' }),
  // shuffles
  vshufps: vex('np.0f', 0xc6, 'rvmi'),
  vpermilps: vex('66.0f3a', 0x04, 'rmi'),
  vperm2f128: vex('66.0f3a', 0x06, 'rvmi', { length: 256, operands: 'y y y i' }),
  vpermps: vex('66.0f38', 0x16, 'rvm', { length: 256, operands: 'y y y' }),
  vpshufb: vex('66.0f38', 0x00, 'rvm'),
  vpunpckldq: vex('66.0f', 0x62, 'rvm'),
  vpmovzxbd: vex('66.0f38', 0x31, 'rm', { operands: 'v x' }),
  vblendps: vex('66.0f3a', 0x0c, 'rvmi'),
  vblendvps: vex('66.0f3a', 0x4a, 'rvms'),
  // f32 arithmetic
  vaddps: vex('np.0f', 0x58, 'rvm'),
  vsubps: vex('np.0f', 0x5c, 'rvm'),
  vmulps: vex('np.0f', 0x59, 'rvm'),
  vdivps: vex('np.0f', 0x5e, 'rvm'),
  vminps: vex('np.0f', 0x5d, 'rvm'),
  vmaxps: vex('np.0f', 0x5f, 'rvm'),
  vsqrtps: vex('np.0f', 0x51, 'rm'),
  vroundps: vex('66.0f3a', 0x08, 'rmi'),
  vcmpps: vex('np.0f', 0xc2, 'rvmi'),
  vfmadd132ps: fused(0x98),
  vfmadd213ps: fused(0xa8),
  vfmadd231ps: fused(0xb8),
  // bits
  vandps: vex('np.0f', 0x54, 'rvm'),
  vandnps: vex('np.0f', 0x55, 'rvm'),
  vorps: vex('np.0f', 0x56, 'rvm'),
  vxorps: vex('np.0f', 0x57, 'rvm'),
  // i32 arithmetic
  vpaddd: vex('66.0f', 0xfe, 'rvm'),
  vpsubd: vex('66.0f', 0xfa, 'rvm'),
  vpmulld: vex('66.0f38', 0x40, 'rvm'),
  vpminsd: vex('66.0f38', 0x39, 'rvm'),
  vpmaxsd: vex('66.0f38', 0x3d, 'rvm'),
  vpcmpeqd: vex('66.0f', 0x76, 'rvm'),
  vpcmpgtd: vex('66.0f', 0x66, 'rvm'),
  vpabsd: vex('66.0f38', 0x1e, 'rm'),
  vpsignd: vex('66.0f38', 0x0a, 'rvm'),
  vpslld: shiftBy(0x72, 6),
  vpsrld: shiftBy(0x72, 2),
  vpsrad: shiftBy(0x72, 4),
  // conversions
  vcvtdq2ps: vex('np.0f', 0x5b, 'rm'),
  vcvttps2dq: vex('f3.0f', 0x5b, 'rm'),
  vcvtdq2pd: vex('f3.0f', 0xe6, 'rm', { length: 256, operands: 'y x' }),
  vcvttpd2dq: vex('66.0f', 0xe6, 'rm', { length: 256, operands: 'x y', foldable: false }),
  vdivpd: vex('66.0f', 0x5e, 'rvm'),
  vroundpd: vex('66.0f3a', 0x09, 'rmi'),
  vzeroupper: vex('np.0f', 0x77, 'none', { length: 128 }),
  // integers and addresses
  mov: gpr('mov', 0x89, 'wr'),
  lea: gpr('lea', 0x8d, 'wr'),
  add: gpr('alu', 0x01, 'xr', 0),
  or: gpr('alu', 0x09, 'xr', 1),
  and: gpr('alu', 0x21, 'xr', 4),
  sub: gpr('alu', 0x29, 'xr', 5),
  xor: gpr('alu', 0x31, 'xr', 6),
  cmp: gpr('alu', 0x39, 'rr', 7),
  test: gpr('test', 0x85, 'rr'),
  imul: gpr('imul', 0xaf, 'xr'),
  shl: gpr('shift', 0xc1, 'xi', 4),
  shr: gpr('shift', 0xc1, 'xi', 5),
  sar: gpr('shift', 0xc1, 'xi', 7),
  neg: gpr('unary', 0xf7, 'x', 3),
  inc: gpr('unary', 0xff, 'x', 0),
  dec: gpr('unary', 0xff, 'x', 1),
  movsxd: gpr('rm', 0x63, 'wr'),
  cmovl: gpr('rm', 0x4c, 'xr'),
  cmovg: gpr('rm', 0x4f, 'xr'),
  cmovb: gpr('rm', 0x42, 'xr'),
  push: gpr('stack', 0x50, 'r'),
  pop: gpr('stack', 0x58, 'w'),
  // control
  jmp: gpr('jump', -1, ''),
  je: gpr('jump', 0x4, ''),
  jne: gpr('jump', 0x5, ''),
  jb: gpr('jump', 0x2, ''),
  jae: gpr('jump', 0x3, ''),
  ja: gpr('jump', 0x7, ''),
  jbe: gpr('jump', 0x6, ''),
  jl: gpr('jump', 0xc, ''),
  jge: gpr('jump', 0xd, ''),
  jle: gpr('jump', 0xe, ''),
  jg: gpr('jump', 0xf, ''),
  call: gpr('call', 0xff, 'r', 2),
  ret: plain(0xc3),
  // threads and machine
  xadd: gpr('locked', 0xc1, 'xx'),
  lockadd: gpr('locked', 0x01, 'xr'),
  xchg: gpr('locked', 0x87, 'xx'),
  pause: plain(0xf3, 0x90),
  mfence: plain(0x0f, 0xae, 0xf0),
  syscall: plain(0x0f, 0x05),
  rdtsc: plain(0x0f, 0x31),
  cpuid: plain(0x0f, 0xa2),
  xgetbv: plain(0x0f, 0x01, 0xd0),
} satisfies Record<string, Encoding>;

export type Mnemonic = keyof typeof encodings;

export function encodingOf(mnemonic: Mnemonic): Encoding {
  return encodings[mnemonic];
}
