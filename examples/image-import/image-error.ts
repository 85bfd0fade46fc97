/** What can be wrong with an image or with how it is stored; tell the cases apart by `code`. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  /** The message is meant for whoever submitted the import. */
  readonly expose = true;

  constructor(
    readonly code:
      | 'ERR_IMAGE_CHANGED'
      | 'ERR_IMAGE_NOT_A_FILE'
      | 'ERR_IMAGE_NOT_IMPORTED'
      | 'ERR_IMAGE_STORE'
      | 'ERR_IMAGE_USAGE',
    message: string,
  ) {
    super(message);
  }
}
