// Lets a script find the packages that node.py, beside this file, has put below .tools, where Node would not look.
import { registerHooks } from 'node:module';

const INSTALLED = new URL('../../.tools/npm/', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    try {
      return next(specifier, context);
    } catch (error) {
      const isPackage = !/^[./]|^[a-z]+:/.test(specifier);
      if (error.code !== 'ERR_MODULE_NOT_FOUND' || !isPackage) throw error;
      return next(specifier, { ...context, parentURL: INSTALLED });
    }
  },
});
