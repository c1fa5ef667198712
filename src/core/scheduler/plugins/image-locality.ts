/**
 * Prefers nodes that hold the pod's images already, the larger the better. A size counts in proportion to how many nodes
 * hold the image, so that pods do not all gather where an image happened to be pulled first.
 * Source: kube-scheduler, ImageLocality.
 */
import type { Plugin } from '../framework.ts';

const mebibyte = 1024 * 1024;
/** Total sizes in bytes from which, and up to which, it makes a difference. The upper one is per container. */
const least = 23 * mebibyte;
const mostPerContainer = 1000 * mebibyte;

export const imageLocality: Plugin = {
  name: 'ImageLocality',
  weight: 1,
  score: ({ pod }, table) => {
    const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
    const all = table.nodes();
    const images = containers
      .map(({ image }) => tagged(image ?? ''))
      .map((name) => ({ name, share: all.filter((node) => node.images.has(name)).length / all.length }));
    if (images.every(({ share }) => share === 0)) return undefined;
    const most = mostPerContainer * containers.length;
    return (nodes) =>
      nodes.map((node) => {
        const sum = images.reduce(
          (bytes, { name, share }) => bytes + Math.trunc((node.images.get(name) ?? 0) * share),
          0,
        );
        return Math.trunc((100 * (Math.min(Math.max(sum, least), most) - least)) / (most - least));
      });
  },
};

/** `image` with the tag that it means when it names none. */
function tagged(image: string): string {
  return image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image;
}
