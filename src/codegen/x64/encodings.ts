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
  /** How AVX-512 encodes it: 512 bits, registers 16 to 31, masks. null where only AVX2 has it. */
  readonly evex: EvexForm | null;
  /** Only AVX-512 has it. */
  readonly onlyEvex: boolean;
  /** The mask of the destination chooses between the sources: no lane of the destination stays. */
  readonly blends: boolean;
}

export interface EvexForm {
  readonly w: 0 | 1;
  /** Bytes of the memory operand, by which 8-bit displacements are scaled: a number, or a share of the vector. */
  readonly bytes: number | 'full' | 'half' | 'quarter';
  readonly operands: string;
  /** Vector length, where no operand that is a register shows it. */
  readonly length: 'widest' | 512;
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
  /** AVX-512's form, where it differs from "W = 0, a whole vector in memory"; null: there is none. */
  readonly evex?: {
    readonly w?: 0 | 1;
    readonly bytes?: EvexForm['bytes'];
    readonly operands?: string;
    readonly length?: 512;
  } | null;
  readonly onlyEvex?: boolean;
  readonly blends?: boolean;
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
  const operands = o.operands ?? [...roles].map((role) => (role === 'i' ? 'i' : 'v')).join(' ');
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
    operands,
    evex:
      o.evex === null
        ? null
        : {
            w: o.evex?.w ?? 0,
            bytes: o.evex?.bytes ?? 'full',
            operands: o.evex?.operands ?? operands,
            length: o.evex?.length ?? 'widest',
          },
    onlyEvex: o.onlyEvex ?? false,
    blends: o.blends ?? false,
  };
}

const fused = (opcode: number, w: 0 | 1 = 0): VexRow => vex('66.0f38', opcode, 'rvm', { w, roles: 'xrr', evex: { w } });
const shiftBy = (opcode: number, digit: number, w: 0 | 1 = 0): VexRow =>
  vex('66.0f', opcode, 'vmi', { digit, evex: { w } });

function gpr(shape: GprRow['shape'], opcode: number, roles: string, digit = 0, bytes: readonly number[] = []): GprRow {
  return { enc: 'gpr', shape, opcode, digit, roles, bytes };
}

/** An instruction that AVX2 does not have. */
const evex = (space: Space, opcode: number, form: VexForm, o: VexOptions = {}): VexRow =>
  vex(space, opcode, form, { ...o, onlyEvex: true });

const plain = (...bytes: number[]): GprRow => gpr('bytes', 0, '', 0, bytes);

/** Operand widths in `operands`: v = the vector, h = half of it (at least xmm), x, y, z = xmm, ymm, zmm, k = a mask, d = 32-bit gpr, m = only memory. */
export const encodings = {
  // moves
  vmovups: vex('np.0f', 0x10, 'rm', { store: 0x11 }),
  vmovaps: vex('np.0f', 0x28, 'rm', { store: 0x29, foldable: false }),
  vmovdqu: vex('f3.0f', 0x6f, 'rm', { store: 0x7f, evex: null }),
  /** Past the caches: memory only, at a multiple of the vector's bytes. */
  vmovntps: vex('np.0f', 0x2b, 'mr', { operands: 'm v', foldable: false }),
  vmovss: vex('f3.0f', 0x10, 'rm', { length: 128, store: 0x11, foldable: false, operands: 'x m', evex: { bytes: 4 } }),
  vmovsd: vex('f2.0f', 0x10, 'rm', {
    length: 128,
    store: 0x11,
    foldable: false,
    operands: 'x m',
    evex: { w: 1, bytes: 8 },
  }),
  vmovd: vex('66.0f', 0x6e, 'rm', { length: 128, store: 0x7e, foldable: false, operands: 'x d', evex: { bytes: 4 } }),
  vmaskmovps: vex('66.0f38', 0x2c, 'rvm', {
    store: 0x2e,
    storeForm: 'mvr',
    foldable: false,
    operands: 'v v m',
    evex: null,
  }),
  vbroadcastss: vex('66.0f38', 0x18, 'rm', { operands: 'v x', evex: { bytes: 4 } }),
  vpbroadcastd: vex('66.0f38', 0x58, 'rm', { operands: 'v x', evex: { bytes: 4 } }),
  vpbroadcastb: vex('66.0f38', 0x78, 'rm', { operands: 'v x', foldable: false, evex: { bytes: 1 } }),
  vpbroadcastw: vex('66.0f38', 0x79, 'rm', { operands: 'v x', foldable: false, evex: { bytes: 2 } }),
  // single lanes and halves
  vextractf128: vex('66.0f3a', 0x19, 'mri', { length: 256, operands: 'x y i', evex: null }),
  vinsertf128: vex('66.0f3a', 0x18, 'rvmi', { length: 256, operands: 'y y x i', evex: null }),
  vinsertps: vex('66.0f3a', 0x21, 'rvmi', { length: 128, foldable: false, operands: 'x x x i', evex: { bytes: 4 } }),
  vpinsrb: vex('66.0f3a', 0x20, 'rvmi', { length: 128, foldable: false, operands: 'x x d i', evex: { bytes: 1 } }),
  vpinsrw: vex('66.0f', 0xc4, 'rvmi', { length: 128, foldable: false, operands: 'x x d i', evex: { bytes: 2 } }),
  vpinsrd: vex('66.0f3a', 0x22, 'rvmi', { length: 128, foldable: false, operands: 'x x d i', evex: { bytes: 4 } }),
  vextractps: vex('66.0f3a', 0x17, 'mri', { length: 128, foldable: false, operands: 'd x i', evex: { bytes: 4 } }),
  vpextrb: vex('66.0f3a', 0x14, 'mri', { length: 128, foldable: false, operands: 'd x i', evex: { bytes: 1 } }),
  vpextrw: vex('66.0f3a', 0x15, 'mri', { length: 128, foldable: false, operands: 'd x i', evex: { bytes: 2 } }),
  vpextrd: vex('66.0f3a', 0x16, 'mri', { length: 128, foldable: false, operands: 'd x i', evex: { bytes: 4 } }),
  // shuffles
  vshufps: vex('np.0f', 0xc6, 'rvmi'),
  vpermilps: vex('66.0f3a', 0x04, 'rmi'),
  vperm2f128: vex('66.0f3a', 0x06, 'rvmi', { length: 256, operands: 'y y y i', evex: null }),
  vpermps: vex('66.0f38', 0x16, 'rvm', { length: 256, operands: 'y y y', evex: { operands: 'z z z' } }),
  vpshufb: vex('66.0f38', 0x00, 'rvm'),
  vpunpckldq: vex('66.0f', 0x62, 'rvm'),
  vpmovzxbd: vex('66.0f38', 0x31, 'rm', { operands: 'v x', evex: { bytes: 'quarter' } }),
  vpmovsxbd: vex('66.0f38', 0x21, 'rm', { operands: 'v x', evex: { bytes: 'quarter' } }),
  vpmovzxwd: vex('66.0f38', 0x33, 'rm', { operands: 'v x', evex: { bytes: 'half', operands: 'z y' } }),
  vpermq: vex('66.0f3a', 0x00, 'rmi', { w: 1, length: 256, operands: 'y y i', evex: { w: 1, operands: 'z z i' } }),
  vblendps: vex('66.0f3a', 0x0c, 'rvmi', { evex: null }),
  vblendvps: vex('66.0f3a', 0x4a, 'rvms', { evex: null }),
  // 64-bit lanes: moves and shuffles
  vmovupd: vex('66.0f', 0x10, 'rm', { store: 0x11, evex: { w: 1 } }),
  vmovhpd: vex('66.0f', 0x16, 'rvm', {
    length: 128,
    store: 0x17,
    foldable: false,
    operands: 'x x m',
    evex: { w: 1, bytes: 8 },
  }),
  vmovddup: vex('f2.0f', 0x12, 'rm', { length: 128, foldable: false, operands: 'x x', evex: null }),
  vbroadcastsd: vex('66.0f38', 0x19, 'rm', {
    foldable: false,
    operands: 'y x',
    evex: { w: 1, bytes: 8, operands: 'z x' },
  }),
  vpmovsxdq: vex('66.0f38', 0x25, 'rm', { operands: 'v h', foldable: false, evex: { bytes: 'half' } }),
  vblendvpd: vex('66.0f3a', 0x4b, 'rvms', { evex: null }),
  // f64 arithmetic
  vaddpd: vex('66.0f', 0x58, 'rvm', { evex: { w: 1 } }),
  vsubpd: vex('66.0f', 0x5c, 'rvm', { evex: { w: 1 } }),
  vmulpd: vex('66.0f', 0x59, 'rvm', { evex: { w: 1 } }),
  vminpd: vex('66.0f', 0x5d, 'rvm', { evex: { w: 1 } }),
  vmaxpd: vex('66.0f', 0x5f, 'rvm', { evex: { w: 1 } }),
  vsqrtpd: vex('66.0f', 0x51, 'rm', { evex: { w: 1 } }),
  vcmppd: vex('66.0f', 0xc2, 'rvmi', { evex: { w: 1, operands: 'k v v i' } }),
  vfmadd213pd: fused(0xa8, 1),
  vfmadd231pd: fused(0xb8, 1),
  // f32 arithmetic
  vaddps: vex('np.0f', 0x58, 'rvm'),
  vsubps: vex('np.0f', 0x5c, 'rvm'),
  vmulps: vex('np.0f', 0x59, 'rvm'),
  vdivps: vex('np.0f', 0x5e, 'rvm'),
  vminps: vex('np.0f', 0x5d, 'rvm'),
  vmaxps: vex('np.0f', 0x5f, 'rvm'),
  vsqrtps: vex('np.0f', 0x51, 'rm'),
  vroundps: vex('66.0f3a', 0x08, 'rmi', { evex: null }),
  vcmpps: vex('np.0f', 0xc2, 'rvmi', { evex: { operands: 'k v v i' } }),
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
  vpcmpeqd: vex('66.0f', 0x76, 'rvm', { evex: null }),
  vpcmpgtd: vex('66.0f', 0x66, 'rvm', { evex: null }),
  vpabsd: vex('66.0f38', 0x1e, 'rm'),
  vpsignd: vex('66.0f38', 0x0a, 'rvm', { evex: null }),
  vpslld: shiftBy(0x72, 6),
  vpsrld: shiftBy(0x72, 2),
  vpsrad: shiftBy(0x72, 4),
  // i64 arithmetic
  vpaddq: vex('66.0f', 0xd4, 'rvm', { evex: { w: 1 } }),
  vpsubq: vex('66.0f', 0xfb, 'rvm', { evex: { w: 1 } }),
  vpcmpeqq: vex('66.0f38', 0x29, 'rvm', { evex: null }),
  vpcmpgtq: vex('66.0f38', 0x37, 'rvm', { evex: null }),
  vpsllq: shiftBy(0x73, 6, 1),
  vpsrlq: shiftBy(0x73, 2, 1),
  vpmuludq: vex('66.0f', 0xf4, 'rvm', { evex: { w: 1 } }),
  // conversions
  vcvtps2pd: vex('np.0f', 0x5a, 'rm', { operands: 'v h', foldable: false, evex: { bytes: 'half' } }),
  vcvtpd2ps: vex('66.0f', 0x5a, 'rm', { operands: 'h v', foldable: false, evex: { w: 1 } }),
  vcvtdq2ps: vex('np.0f', 0x5b, 'rm'),
  vcvttps2dq: vex('f3.0f', 0x5b, 'rm'),
  vcvtdq2pd: vex('f3.0f', 0xe6, 'rm', { length: 256, operands: 'y x', evex: { bytes: 'half', operands: 'z y' } }),
  vcvttpd2dq: vex('66.0f', 0xe6, 'rm', {
    length: 256,
    operands: 'x y',
    foldable: false,
    evex: { w: 1, operands: 'y z', length: 512 },
  }),
  vcvtph2ps: vex('66.0f38', 0x13, 'rm', { operands: 'v x', evex: { bytes: 'half', operands: 'z y' } }),
  vcvtps2ph: vex('66.0f3a', 0x1d, 'mri', {
    operands: 'x v i',
    foldable: false,
    evex: { bytes: 'half', operands: 'y z i' },
  }),
  vdivpd: vex('66.0f', 0x5e, 'rvm', { evex: { w: 1 } }),
  vroundpd: vex('66.0f3a', 0x09, 'rmi', { evex: null }),
  vzeroupper: vex('np.0f', 0x77, 'none', { length: 128, evex: null }),
  // AVX-512
  vextractf32x4: evex('66.0f3a', 0x19, 'mri', { evex: { bytes: 16, operands: 'x z i' } }),
  vinsertf32x4: evex('66.0f3a', 0x18, 'rvmi', { evex: { bytes: 16, operands: 'z z x i' } }),
  vextractf64x4: evex('66.0f3a', 0x1b, 'mri', { evex: { w: 1, bytes: 32, operands: 'y z i' } }),
  vinsertf64x4: evex('66.0f3a', 0x1a, 'rvmi', { evex: { w: 1, bytes: 32, operands: 'z z y i' } }),
  vrndscaleps: evex('66.0f3a', 0x08, 'rmi'),
  vrndscalepd: evex('66.0f3a', 0x09, 'rmi', { evex: { w: 1 } }),
  vblendmps: evex('66.0f38', 0x65, 'rvm', { blends: true }),
  vpermi2ps: evex('66.0f38', 0x77, 'rvm', { roles: 'xrr' }),
  vpcmpd: evex('66.0f3a', 0x1f, 'rvmi', { evex: { operands: 'k v v i' } }),
  vpternlogd: evex('66.0f3a', 0x25, 'rvmi', { roles: 'xrri' }),
  vpmovm2d: evex('f3.0f38', 0x38, 'rm', { evex: { operands: 'v k' }, foldable: false }),
  vpmovd2m: evex('f3.0f38', 0x39, 'rm', { evex: { operands: 'k v' }, foldable: false }),
  vpmovdb: evex('f3.0f38', 0x31, 'mr', { evex: { bytes: 'quarter', operands: 'x z' }, foldable: false }),
  vpmovm2q: evex('f3.0f38', 0x38, 'rm', { evex: { w: 1, operands: 'v k' }, foldable: false }),
  vpmovq2m: evex('f3.0f38', 0x39, 'rm', { evex: { w: 1, operands: 'k v' }, foldable: false }),
  vpmovqd: evex('f3.0f38', 0x35, 'mr', { evex: { bytes: 'half', operands: 'y z' }, foldable: false }),
  vblendmpd: evex('66.0f38', 0x65, 'rvm', { evex: { w: 1 }, blends: true }),
  vpcmpq: evex('66.0f3a', 0x1f, 'rvmi', { evex: { w: 1, operands: 'k v v i' } }),
  vpmullq: evex('66.0f38', 0x40, 'rvm', { evex: { w: 1 } }),
  vpminsq: evex('66.0f38', 0x39, 'rvm', { evex: { w: 1 } }),
  vpmaxsq: evex('66.0f38', 0x3d, 'rvm', { evex: { w: 1 } }),
  vpabsq: evex('66.0f38', 0x1f, 'rm', { evex: { w: 1 } }),
  vpsraq: evex('66.0f', 0x72, 'vmi', { digit: 4, evex: { w: 1 } }),
  vcvtqq2pd: evex('f3.0f', 0xe6, 'rm', { evex: { w: 1 } }),
  vcvttpd2qq: evex('66.0f', 0x7a, 'rm', { evex: { w: 1 } }),
  vpmovdw: evex('f3.0f38', 0x33, 'mr', { evex: { bytes: 'half', operands: 'y z' }, foldable: false }),
  kmovw: vex('np.0f', 0x92, 'rm', { length: 128, operands: 'k d', foldable: false, evex: null }),
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
  cmpxchg: gpr('locked', 0xb1, 'xr'),
  xchg: gpr('locked', 0x87, 'xx'),
  pause: plain(0xf3, 0x90),
  mfence: plain(0x0f, 0xae, 0xf0),
  sfence: plain(0x0f, 0xae, 0xf8),
  syscall: plain(0x0f, 0x05),
  rdtsc: plain(0x0f, 0x31),
  cpuid: plain(0x0f, 0xa2),
  xgetbv: plain(0x0f, 0x01, 0xd0),
} satisfies Record<string, Encoding>;

export type Mnemonic = keyof typeof encodings;

export function encodingOf(mnemonic: Mnemonic): Encoding {
  return encodings[mnemonic];
}
