/**
 * What the official MNIST and Fashion-MNIST files are: where they are published, how large they are and the SHA-256 of
 * their unpacked content. The content is pinned, not the .gz around it, because mirrors have packed it anew.
 */

export interface DataFile {
  /** Official name, without `.gz`. */
  readonly name: string;
  /** Size of the unpacked content. */
  readonly bytes: number;
  /** SHA-256 of the unpacked content. */
  readonly sha256: string;
}

export interface Manifest {
  /** The name that `tensorloom download` takes, and the folder in the cache. */
  readonly name: string;
  readonly title: string;
  readonly licence: string;
  /** Folders that hold `<name>.gz` of every file, best first. */
  readonly mirrors: readonly string[];
  readonly files: readonly DataFile[];
}

const imageBytes = (count: number) => 16 + count * 28 * 28;
const labelBytes = (count: number) => 8 + count;

function officialFiles(hashes: readonly [string, string, string, string]): DataFile[] {
  const [trainImages, trainLabels, testImages, testLabels] = hashes;
  return [
    { name: 'train-images-idx3-ubyte', bytes: imageBytes(60_000), sha256: trainImages },
    { name: 'train-labels-idx1-ubyte', bytes: labelBytes(60_000), sha256: trainLabels },
    { name: 't10k-images-idx3-ubyte', bytes: imageBytes(10_000), sha256: testImages },
    { name: 't10k-labels-idx1-ubyte', bytes: labelBytes(10_000), sha256: testLabels },
  ];
}

export const mnistManifest: Manifest = {
  name: 'mnist',
  title: 'MNIST, 60,000 and 10,000 handwritten digits',
  licence: 'CC BY-SA 3.0 (LeCun, Cortes, Burges)',
  mirrors: ['https://ossci-datasets.s3.amazonaws.com/mnist/', 'https://storage.googleapis.com/cvdf-datasets/mnist/'],
  files: officialFiles([
    'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
    '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
    '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
    'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
  ]),
};

export const fashionMnistManifest: Manifest = {
  name: 'fashion-mnist',
  title: 'Fashion-MNIST, 60,000 and 10,000 pictures of clothes',
  licence: 'MIT (Zalando SE)',
  mirrors: [
    'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
    'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/',
  ],
  files: officialFiles([
    'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
    'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
    '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
    '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
  ]),
};

export const manifests: readonly Manifest[] = [mnistManifest, fashionMnistManifest];
