@rem Install coverslip from the wheels of the installer, without a network.
"%PREFIX%\python.exe" -m pip install --no-index --find-links "%PREFIX%\coverslip-wheels" "coverslip[app,formats,keras,map,train]" || exit /b 1
rmdir /s /q "%PREFIX%\coverslip-wheels"
